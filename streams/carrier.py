"""Carriers: one spelling for each, so that a carrier is one series.

The key is MCC-MNC (`310-260`) where the record tells it, else a slug of the name it gives. The MNC
is text: 310-26 and 310-260 are two networks.
"""

from __future__ import annotations

import re
import unicodedata

from streams.records import UNKNOWN

MAX_LENGTH = 64
LIKE_A_NUMBER = re.compile(r"\d(?:[ ().\-]{0,2}\d){6}")
"""Seven digits in a row, or in groups as people write them, may be a phone number, and labels never
hold one."""

_MCC_MNC = re.compile(r"([2-79]\d\d|001)[-/_ .:]?(\d{2,3})", re.ASCII)
_BETWEEN = re.compile(r"[\W_]+")


def normalise(text: str | None) -> str:
    """`310-260`, a slug such as `t-mobile-usa`, or `unknown`. At most 64 characters.

    Joined digits split without doubt, since the MCC always has three: five are 3 + 2, six 3 + 3.
    """
    if not text:
        return UNKNOWN
    network = _MCC_MNC.fullmatch(text.strip())
    if network:
        return "-".join(network.groups())
    slug = _BETWEEN.sub("-", unicodedata.normalize("NFKC", text[: 4 * MAX_LENGTH]).casefold())
    slug = slug[:MAX_LENGTH].strip("-")
    return slug if slug and not LIKE_A_NUMBER.search(slug) else UNKNOWN
