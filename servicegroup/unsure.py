"""What to answer when nobody can tell."""

from __future__ import annotations

import enum
from typing import Final, Literal


class _Raise(enum.Enum):
    RAISE = "raise"


#: Raise instead of answering when the verdict is unknown.
RAISE: Final = _Raise.RAISE

#: ``False`` suits choosing (a scheduler takes nobody it is unsure of), ``True`` suits fencing and
#: evacuation (nobody is touched who may be alive), ``RAISE`` everybody else.
Unknown = bool | Literal[_Raise.RAISE]
