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


_ABSOLUTE = re.compile(r"(\d{12})(\d)(\d\d)([+-])", re.ASCII)


def receipt_ms(text: str, zone: tzinfo | None) -> int | None:
    """A date of an SMPP receipt as epoch milliseconds; None for zeros and for what is no date.

    Receipts write YYMMDDhhmm (SMPP v3.4 appendix B), YYMMDDhhmmss, YYYYMMDDhhmm or YYYYMMDDhhmmss;
    of twelve digits the shorter year is read where it makes a date. Those are times in `zone`, and
    None without one. The absolute time of SMPP v3.4 section 7.1.1, 16 characters, tells tenths of a
    second and its own offset from UTC in quarter hours, and needs no zone.
    """
    absolute = _ABSOLUTE.fullmatch(text)
    if absolute:
        digits, tenth, quarters, sign = absolute.groups()
        away = timedelta(minutes=15 * int(quarters))
        ms = _digits_ms("20" + digits, timezone(away if sign == "+" else -away)) if away < _DAY else None
        return None if ms is None else ms + 100 * int(tenth)
    if zone is None or not text.isascii() or not text.isdecimal():
        return None
    for digits in _readings(text):
        ms = _digits_ms(digits, zone)
        if ms is not None:
            return ms
    return None


_DAY = timedelta(days=1)


def _readings(digits: str) -> tuple[str, ...]:
    """What a date of that many digits may mean, as YYYYMMDDhhmmss, the likelier first."""
    if len(digits) == 10:
        return ("20" + digits + "00",)
    # A year before 2000 is no date of a receipt, it is digits that happen to make one.
    whole = digits.startswith("20")
    if len(digits) == 12:
        return ("20" + digits, digits + "00") if whole else ("20" + digits,)
    return (digits,) if len(digits) == 14 and whole else ()


def _digits_ms(digits: str, zone: tzinfo) -> int | None:
    month, day, hour, minute, second = (int(digits[i : i + 2]) for i in range(4, 14, 2))
    try:
        moment = datetime(int(digits[:4]), month, day, hour, minute, second, tzinfo=zone)
        return int(moment.timestamp()) * 1000
    except (ValueError, OverflowError):
        return None


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
