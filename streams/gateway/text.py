"""The text of the message, which some providers send along, is cut out of a record. Pure.

What stands for it is `-`: some formats tell an inbound message by the field being there.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote_plus

import msgspec

from streams.gateway.form import plain

TEXTS = frozenset({"body", "text", "content", "messagebody", "cleantext", "keyword"})
"""Names, in lower case, of the fields in which providers send the text of a message, or its first word."""
RECEIPTS = frozenset({"reply"})
"""Fields with the text of an SMPP receipt (Kannel's %A), which ends with the beginning of the message."""
CUT = "-"

_OF_RECEIPT = re.compile(r"(?<![^\s,;])text\s*:", re.I)
# A name may be written with escapes: then it takes a look at the decoded record to tell.
_MAY_HOLD_TEXT = re.compile(rb'"(?:%s)"\s*:|\\u00[2-7]' % "|".join(TEXTS | RECEIPTS).encode(), re.I)


def without_text(value: bytes) -> bytes | None:
    """A record without the text of the message; the very same bytes where it holds none, None for JSON
    that may hold text but can not be taken apart."""
    if value.lstrip()[:1] not in (b"{", b"["):
        return _of_form(value)
    if not _MAY_HOLD_TEXT.search(value):
        return value
    try:
        try:
            record = msgspec.json.decode(value)
        except msgspec.DecodeError:
            record = json.loads(value)  # takes the halves of characters that cut texts end with
        return json.dumps(record, separators=(",", ":")).encode() if _cut(record) else value
    except (ValueError, RecursionError):
        return None


def _of_form(value: bytes) -> bytes:
    try:
        pairs = value.decode().split("&")
    except UnicodeDecodeError:
        return value  # no form of a provider: a dead letter, which is kept as it came
    kept = [_of_pair(pair) for pair in pairs]
    return value if kept == pairs else "&".join(kept).encode()


def _of_pair(pair: str) -> str:
    name, _, content = pair.partition("=")
    small = plain(name).lower()
    if small in TEXTS and content:
        return f"{name}={CUT}"
    if small in RECEIPTS and (bare := _of_receipt(plain(content))) != plain(content):
        return f"{name}={quote_plus(bare)}"
    return pair


def _of_receipt(text: str) -> str:
    found = _OF_RECEIPT.search(text)
    return text[: found.start()].rstrip() if found else text


def _cut(record: Any) -> bool:
    """Cuts fields of those names at any depth, in place; whether there was anything to cut."""
    left, changed = [record], False
    while left:
        part = left.pop()
        if isinstance(part, dict):
            for name, content in part.items():
                kept = _kept(name.lower(), content)
                if kept is not content:
                    part[name], changed = kept, True
            left.extend(part.values())
        elif isinstance(part, list):
            left.extend(part)
    return changed


def _kept(name: str, content: Any) -> Any:
    if name in TEXTS and content:
        return CUT
    if name in RECEIPTS and isinstance(content, str):
        bare = _of_receipt(content)
        return content if bare == content else bare
    return content
