"""Names of carriers as text: the key under which spellings meet, and the slug of an unknown one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from streams.records import UNKNOWN

MAX_LENGTH = 64
MAX_READ = 4 * MAX_LENGTH
LIKE_A_NUMBER = re.compile(r"\d(?:[ ().\-]{0,2}\d){6}")
"""Seven digits in a row, or in groups as people write them, may be a phone number, and labels never
hold one."""

_BETWEEN = re.compile(r"[\W_]+")
_LEGAL_FORMS = (
    "ab ad ag as asa bv co company corp corporation doo eood gmbh inc incorporated jsc limited llc llp lp "
    "ltd mbh nv oy oyj pjsc plc pte pty pvt sa sac sae sal sarl sas sau sdn bhd spa srl sro zrt"
)
_COMPANY = frozenset(_LEGAL_FORMS.split())
_ROUTE = re.compile(r"[\s-]*(?:\bSMS\b|\bSMS/MMS\b)?[\s-]*\bSVR\b.*$", re.I)
_ROUTE_NUMBER = re.compile(r"[:/]\d+\b")


def key(name: str) -> str:
    """What spellings of one name have in common: letters and digits, without the legal form.

    `T-Mobile USA, Inc.` and `t mobile usa` are `tmobileusa`; `AT&T` is `atandt`, `LG U+` `lguplus`.
    """
    spelt = name[:MAX_READ].replace("&", " and ").replace("+", " plus ").replace(".", "")
    folded = unicodedata.normalize("NFKD", spelt).casefold()
    words = _BETWEEN.sub(" ", "".join(c for c in folded if not unicodedata.combining(c))).split()
    while len(words) > 1 and words[-1] in _COMPANY:
        words.pop()
    return "".join(words)


def candidates(name: str) -> Iterator[str]:
    """The names that `name` may stand for, the most telling first.

    Twilio's Lookup adds routes to US names: `Verizon Wireless:6006 - SVR/2`, `T-Mobile US-SVR-10X/2`,
    `Bandwidth/13 - Bandwidth.com - SVR`. Only there are parts of the text looked at.
    """
    yield name
    bare = without_route(name)
    if bare != name:
        yield bare
        yield from (part for part in bare.split(" - ") if part != bare)


def without_route(name: str) -> str:
    """The name without the routes that Twilio's Lookup adds; any other as it is."""
    bare = _ROUTE.sub("", name[:MAX_READ])
    return _ROUTE_NUMBER.sub("", bare).strip(" -") if bare != name[:MAX_READ] else name


def slug(name: str) -> str:
    """`t-mobile-usa`: letters and digits with dashes between, at most 64 characters; else `unknown`."""
    text = _BETWEEN.sub("-", unicodedata.normalize("NFKC", without_route(name)[:MAX_READ]).casefold())
    text = text[:MAX_LENGTH].strip("-")
    return text if text and not LIKE_A_NUMBER.search(text) else UNKNOWN


def slips(text: str) -> Iterator[str]:
    """What `text` may have been meant to be: one letter too many, or two swapped.

    A letter too few is found from the other side. No letter is exchanged for another: that makes
    other names (`T-Mobile UK`, `T-Mobile US`) more often than it mends one.
    """
    for i in range(len(text)):
        yield text[:i] + text[i + 1 :]
        if i + 1 < len(text):
            yield text[:i] + text[i + 1] + text[i] + text[i + 2 :]
