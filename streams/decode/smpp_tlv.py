"""The optional parameters (TLVs) of an SMPP receipt. SMPP v3.4 Issue 1.2, sections 5.3 and 5.2.28."""

from __future__ import annotations

import re
from collections.abc import Mapping

from streams.records import Malformed, Reason

RECEIPTED_MESSAGE_ID, NETWORK_ERROR_CODE = 0x001E, 0x0423
MESSAGE_PAYLOAD, MESSAGE_STATE = 0x0424, 0x0427

_TAGS = {
    "receipted_message_id": RECEIPTED_MESSAGE_ID,
    "network_error_code": NETWORK_ERROR_CODE,
    "message_payload": MESSAGE_PAYLOAD,
    "message_state": MESSAGE_STATE,
}
_STATES = (
    "SCHEDULED",
    "ENROUTE",
    "DELIVRD",
    "EXPIRED",
    "DELETED",
    "UNDELIV",
    "ACCEPTD",
    "UNKNOWN",
    "REJECTD",
    "SKIPPED",
)
"""By value of message_state; 0 and 9 are of SMPP 5.0."""

# Possessive: given back and tried again, blanks would cost the square of their number.
_LINE = re.compile(r"[ \t]*+([0-9a-fA-F]{4})[ \t]++([0-9a-fA-F]{4})[ \t]++([0-9a-fA-F \t]*+)")

Tlvs = Mapping[int, str]
"""Tag -> value as it was given, usually hexadecimal text."""


def split_lines(text: str) -> tuple[str, Tlvs]:
    """A receipt's text and the TLVs on the lines after it, such as `0423 0003 030000`.

    A line whose length does not fit its value belongs to the text; the first of a tag wins.
    """
    tlvs: dict[int, str] = {}
    rest = []
    for line in text.splitlines():
        parameter = _LINE.fullmatch(line)
        value = "".join(parameter[3].split()) if parameter else ""
        if parameter and len(value) == 2 * int(parameter[2], 16):
            tlvs.setdefault(int(parameter[1], 16), value)
        else:
            rest.append(line)
    return "\n".join(rest), tlvs


def named(raw: Mapping[str, str | int]) -> Tlvs | Malformed:
    """TLVs by tag. Keys are names, or four hexadecimal digits with or without `0x`."""
    tlvs: dict[int, str] = {}
    for key, value in raw.items():
        tag = _tag(key)
        if tag is None:
            return Malformed(Reason.BAD_RECEIPT, "a key in tlvs is neither a known name nor a hex tag")
        tlvs.setdefault(tag, f"{value:02x}" if isinstance(value, int) else value.strip())
    return tlvs


def _tag(key: str) -> int | None:
    name = key.strip().lower()
    digits = name.removeprefix("0x")
    if name in _TAGS:
        return _TAGS[name]
    return int(digits, 16) if re.fullmatch("[0-9a-f]{1,4}", digits) else None


def message_id(tlvs: Tlvs) -> str:
    """The receipted message id, or ''."""
    return _text(tlvs.get(RECEIPTED_MESSAGE_ID, ""))


def payload(tlvs: Tlvs) -> str:
    """The text in message_payload, or ''."""
    return _text(tlvs.get(MESSAGE_PAYLOAD, ""))


def state(tlvs: Tlvs) -> str:
    """The word of the receipt's text that message_state stands for; '' for none or a reserved one."""
    octets = _octets(tlvs.get(MESSAGE_STATE, ""))
    number = int.from_bytes(octets, "big") if octets else len(_STATES)
    return _STATES[number] if number < len(_STATES) else ""


def error_code(tlvs: Tlvs) -> str:
    """The network's error code as text of three digits or more, or ''.

    By the book one octet of network type and 16 bits of code. Some message centres send three or
    four ASCII digits instead, or put a zero octet in front.
    """
    text = tlvs.get(NETWORK_ERROR_CODE, "")
    if len(text) in (3, 4) and text.isdecimal():
        return text
    octets = _octets(text)
    if octets[:1].isdigit():
        return octets.rstrip(b"\0").decode("ascii", "replace")
    if len(octets) == 4 and octets[0] == 0:
        octets = octets[1:]
    return f"{int.from_bytes(octets[1:3], 'big'):03d}" if len(octets) >= 3 else ""


def _octets(text: str) -> bytes:
    try:
        return bytes.fromhex(text.lower().removeprefix("0x"))
    except ValueError:
        return b""


def _text(value: str) -> str:
    """Text given as hex, or in clear: an id of digits alone can be both, and is not hex when the
    octets do not print."""
    octets = _octets(value).rstrip(b"\0")
    plain = octets.decode("latin-1")
    return plain if plain and plain.isascii() and plain.replace("\n", "").isprintable() else value
