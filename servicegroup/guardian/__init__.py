"""The guardian: a small process beside a daemon that says in its place that it died."""
