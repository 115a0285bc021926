"""Times in records: whole epoch milliseconds, UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streams.errors import ConfigError

MAX_MS = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z, the last time that ISO 8601 writes with four digits of year."""

_SHORTEST = len("2026-07-17T12")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def epoch_ms(text: str) -> int | None:
    """ISO 8601 text as epoch milliseconds; None when it is not one, or before 1970.

    Without a zone it is UTC: the contract's times are UTC, and a local time read so is at most
    hours off, which only latency shows. A bare date is refused, it is no point in time.
    """
    return zoned_ms(text, UTC)


def zoned_ms(text: str, zone: tzinfo | None) -> int | None:
    """The same where no zone does not mean UTC: a text without one is a time in `zone`, and None
    when that is not known."""
    if len(text) < _SHORTEST:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            if zone is None:
                return None
            moment = moment.replace(tzinfo=zone)
        since = moment - _EPOCH
    except (ValueError, OverflowError):
        return None
    ms = (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
    return ms if 0 <= ms <= MAX_MS else None


_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")


def zone_of(name: str) -> tzinfo | None:
    """`Europe/Berlin`, `UTC` or `+02:00` as a zone; None for ''. Raises ConfigError for anything else."""
    if not name:
        return None
    offset = _OFFSET.fullmatch(name)
    try:
        if offset:
            span = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
            return timezone(-span if offset[1] == "-" else span)
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"zone = '{name}': must be a zone such as Europe/Berlin, or +02:00") from None
