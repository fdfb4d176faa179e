"""The ``memcache`` driver."""
