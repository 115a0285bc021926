"""What Lookup says of a number, and what of it is kept.

Source: twilio.com/docs/lookup/v2-api/line-type-intelligence
"""

from __future__ import annotations

from typing import Any

import msgspec

from streams.networks import Networks
from streams.records import UNKNOWN, VERSION

MAX_NAME = 128
APART = {"landline": "landline", "tollFree": "toll-free"}
"""Lines that no mobile carrier serves are carriers of their own: their failures say nothing of the
brand that also sells mobiles."""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """One answer as the cache keeps it: what was said, not what it means, so that another table of
    networks reads it anew. Holds no number."""

    mcc: str = ""
    mnc: str = ""
    name: str = ""
    country: str = ""
    line_type: str = ""
    """`mobile`, `landline`, `fixedVoip`, `nonFixedVoip`, `tollFree`, …; '' when not told."""
    error_code: str = ""
    """Why there is no carrier, such as 60600 or 60601 (no right to ask: Canada)."""
    v: int = VERSION

    @property
    def tells(self) -> bool:
        return bool(self.mnc or self.name or self.line_type in APART)

    def carrier(self, networks: Networks) -> str:
        """The carrier's id, '' when the answer names none."""
        if self.line_type in APART:
            return APART[self.line_type]
        said = f"{self.mcc}-{self.mnc}" if self.mcc and self.mnc else self.name
        carrier = networks.id_of(said, self.country)
        return "" if carrier == UNKNOWN else carrier


NOTHING = Answer()
"""For a number that Lookup does not know."""

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Answer).decode


def read(body: bytes) -> Answer | None:
    """Twilio's answer to a number; None when the body is none. Never raises."""
    try:
        raw = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    line = raw.get("line_type_intelligence")
    if not isinstance(line, dict):
        return NOTHING if raw.get("valid") is False else None
    return Answer(
        mcc=_text(line.get("mobile_country_code")),
        mnc=_text(line.get("mobile_network_code")),
        name=_text(line.get("carrier_name")),
        country=_text(raw.get("country_code")),
        line_type=_text(line.get("type")),
        error_code=_text(line.get("error_code")),
    )


def _text(value: object) -> str:
    return str(value)[:MAX_NAME] if isinstance(value, str | int) and not isinstance(value, bool) else ""
