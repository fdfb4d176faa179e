# The outsider's own test runs where the outsider is installed: in a process of its own.
collect_ignore = ["servicegroup-files"]
