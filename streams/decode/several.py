"""Values that hold several records: the items of a JSON array, byte for byte."""

from __future__ import annotations

import msgspec


def items(value: bytes) -> list[bytes] | None:
    """The items of the JSON array in `value`; None for an empty one or anything else."""
    if value.lstrip()[:1] != b"[":
        return None
    try:
        raw = msgspec.json.decode(value, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return [bytes(item).strip() for item in raw] or None
