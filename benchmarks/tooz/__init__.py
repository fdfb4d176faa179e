"""The ``tooz`` driver on Redis, beside tooz itself on the same server."""
