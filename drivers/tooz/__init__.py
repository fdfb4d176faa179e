"""The ``tooz`` driver: members in whatever store tooz has groups for.

``driver`` is the driver itself, ``options`` says which back end. ``coordinator`` is one of tooz's,
each call of which ends in time. ``layout`` is what stands in its groups, ``entries`` reads it,
``view`` is what that means, ``members`` changes it, ``pulse`` beats and ``sight`` looks.
"""

from .driver import ToozDriver

__all__ = ["ToozDriver"]
