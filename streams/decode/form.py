"""Forms, query strings and flat JSON objects: the ways in which a gateway calls a URL."""

from __future__ import annotations

from collections.abc import Set
from urllib.parse import unquote_plus

from streams.decode.decoder import read_object
from streams.records import Malformed, Reason

_MOST = 2**64
"""Whole numbers below this, either way from zero, are ids, codes or times; none is longer."""


def read_fields(value: bytes, names: Set[str]) -> dict[str, str] | Malformed:
    """Those of the named fields that are there and not empty, as text. Never raises.

    `value` is a form, a query string with or without its `?`, or a JSON object whose fields are
    text or numbers. The first of a name wins in a form.
    """
    if value and value.lstrip()[:1] not in (b"{", b"[", b'"', b""):
        return _of_form(value, names)
    raw = read_object(value)
    return raw if isinstance(raw, Malformed) else _of_json(raw, names)


def plain(text: str) -> str:
    """A form value as it was before encoding."""
    if "%" not in text and "+" not in text:
        return text
    if text.startswith("%2B") and text[3:].isalnum():
        return "+" + text[3:]
    decoded = unquote_plus(text)
    # A '+' that somebody forgot to encode arrives as a blank before the number.
    return "+" + decoded[1:] if decoded[:1] == " " and decoded[1:].isdecimal() else decoded


def _of_form(value: bytes, names: Set[str]) -> dict[str, str] | Malformed:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as e:
        return Malformed(Reason.NOT_UTF8, f"byte {e.start} of {len(value)} is not UTF-8")
    fields: dict[str, str] = {}
    for pair in text.strip().removeprefix("?").split("&"):
        name, _, content = pair.partition("=")
        if content and name in names and name not in fields:
            fields[name] = plain(content)
    return fields


def _of_json(raw: dict[str, object], names: Set[str]) -> dict[str, str] | Malformed:
    fields: dict[str, str] = {}
    for name in names & raw.keys():
        content = raw[name]
        if isinstance(content, str):
            text = content
        elif isinstance(content, int) and not isinstance(content, bool) and abs(content) < _MOST:
            text = str(content)
        elif content is None:
            continue
        else:
            return Malformed(Reason.WRONG_TYPE, f"{name}: expected text or a whole number")
        if text:
            fields[name] = text
    return fields
