"""The data sources of Vitrage: a driver of its, or one written for it, runs unchanged."""
