# The outsiders' own tests run where the outsiders are installed: in processes of their own.
collect_ignore = ["servicegroup-files", "servicegroup-folder"]
