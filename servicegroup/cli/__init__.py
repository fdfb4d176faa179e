"""The command line: thin faces on the library."""
