"""The drivers that come with the library, each a file named like its entry point."""
