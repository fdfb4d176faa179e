"""The ``db`` driver, on each database that it knows."""
