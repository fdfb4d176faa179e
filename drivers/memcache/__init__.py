"""The ``memcache`` driver: members in memcached, which forgets what it likes.

``driver`` is the driver itself; ``last_will`` is all that a guardian needs of it. ``options`` says
which servers. ``client`` is pymemcache's, ``server`` one memcached, ``exchange`` a request to
several, ``servers`` all of them with ``placement``, which says what key lives where. ``commands``
and ``replies`` are the protocol, ``codec`` what keys and values look like. On these stand ``index``
(who is in a group), ``members`` and ``report`` (writing them), ``pulse`` and ``quiet`` (beats),
``reading``, ``beats``, ``glance`` and ``sight`` (looking).
"""
