"""What a store's clock is beside this host's: of interest to people, no verdict depends on it."""

from __future__ import annotations

from servicegroup.driver import Finding

#: Seconds by which clocks may differ before times shown to people are misleading.
SKEW = 2.0


def clock(whose: str, ahead: float, error: float, check: str = "clock") -> Finding:
    """Say how far a clock is ahead of this host's, in seconds, give or take *error*."""
    where = "ahead of" if ahead >= 0 else "behind"
    words = (
        f"{whose} is {abs(ahead):.1f} s {where} this host's, give or take {error:.1f} s; verdicts "
        f"do not depend on it"
    )
    if abs(ahead) <= SKEW + error:
        return Finding(check, True, words)
    return Finding(check, False, words, "set both clocks by NTP: times shown are misleading")
