"""Times as OpenStack's services pass them: text or not, with a zone or not."""

from __future__ import annotations

from datetime import UTC, datetime

from oslo_utils import timeutils


def in_utc(value: datetime | str | None) -> datetime | None:
    """Return the instant that is meant, in UTC; one without a zone is in UTC already.

    :raises ValueError: text that is not ISO 8601
    """
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    if time is None:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def utcnow() -> datetime:
    """Return the time now, as the clock of oslo.utils says it, which tests can set."""
    now = timeutils.utcnow()
    return now.replace(tzinfo=UTC) if now.tzinfo is None else now
