"""Phone numbers leave here as keyed hashes or masked, never in clear.

A bare hash of a number is no protection: there are only some 10^10 of them to try.
"""

from __future__ import annotations

import base64
import hashlib
import re

from streams.errors import ConfigError
from streams.settings import Secret

DEMO_KEY = Secret("0" * 32)
"""For looking at records without a configuration: hashes made with it protect nobody."""

SHORT_KEY_CHARACTERS = 32
"""A key with fewer can be guessed, and numbers with it."""

_KEY_ID = b"carrier-health recipient key"
_CHANNEL = re.compile(r"^[a-z]+:")
_FILLING = re.compile(r"[\s().\-\u00a0]+")
_FULL_INTERNATIONAL_DIGITS = 11


def canonical(number: str) -> str:
    """A number as it is hashed: `+` and digits where it is an international one.

    Drops a channel (`whatsapp:`), blanks, dashes, dots and brackets; a leading `00` is a `+`. Eleven
    digits and more without a `+` are international too, as in SMPP addresses; fewer may be national
    and stay as they are, like short codes and names.
    """
    if number[:1] == "+" and number[1:].isdecimal():
        return number
    if len(number) >= _FULL_INTERNATIONAL_DIGITS and number.isdecimal() and number[:2] != "00":
        return "+" + number
    bare = _FILLING.sub("", _CHANNEL.sub("", number.strip().lower()))
    if bare.startswith("00"):
        return "+" + bare[2:]
    if bare.isdecimal() and len(bare) >= _FULL_INTERNATIONAL_DIGITS:
        return "+" + bare
    return bare


class RecipientHasher:
    """Hashes numbers with a key (BLAKE2b, 64 bits); another key forgets every recipient.

    `key_id` tells which key it was without telling the key: records carry it beside the hash, as
    hashes of two keys must never be compared.
    """

    def __init__(self, key: Secret) -> None:
        """Raises ConfigError when the key is empty."""
        if not key:
            raise ConfigError(
                "privacy.recipient_key is empty: set it, or privacy.recipient_key_file, to a secret text "
                "of 32 characters or more; numbers are only kept as hashes with this key"
            )
        text = key.reveal().encode()
        # BLAKE2b takes at most 64 bytes of key.
        fit = text if len(text) <= hashlib.blake2b.MAX_KEY_SIZE else hashlib.blake2b(text).digest()
        self._keyed = hashlib.blake2b(key=fit, digest_size=8)
        self.key_id = hashlib.blake2b(_KEY_ID, key=fit, digest_size=4, person=b"key id").hexdigest()

    def digest(self, number: str) -> bytes:
        h = self._keyed.copy()
        h.update(canonical(number).encode("utf-8", "surrogatepass"))
        return h.digest()

    def __call__(self, number: str) -> int:
        """The hash as an unsigned integer of 64 bits."""
        return int.from_bytes(self.digest(number), "big")

    def hex(self, number: str) -> str:
        """The same hash as 16 hexadecimal digits."""
        return self.digest(number).hex()


def mask(number: str) -> str:
    """A number for a person's eye: `+1415•••2671`, three characters or more hidden. Short ones show
    nothing but their length."""
    shown = canonical(number)
    if len(shown) < 10:
        return "•" * len(shown)
    return f"{shown[: min(5, len(shown) - 7)]}•••{shown[-4:]}"


# What people and encodings put between the digits of one number, a form's `+` for a blank included.
_BETWEEN = rb"(?:[ \x00().\-/+]|\xc2\xa0|%20|%2[89DEde]){0,3}"
_DATE = rb"(?:19|20)\d\d-(?:0\d|1[0-2])-[0-3]\d(?!\d)"
_LIKE_A_NUMBER = re.compile(rb"(?P<date>" + _DATE + rb")|(?P<plus>\+|%2[Bb])?\d(?:" + _BETWEEN + rb"\d){6,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_\-]{16,}={0,2}")
_ENCODED_CHARACTER = re.compile(rb"%[0-9A-Fa-f]{2}|\D")


def mask_numbers(data: bytes) -> bytes:
    """Bytes for a person's eye: whatever could be a phone number is masked, other digits among it.

    Seven digits and more count, also with what people put between them, plain or percent-encoded;
    dates like 2026-07-17 do not. A base64 word that holds such a run is left out.
    """
    return _LIKE_A_NUMBER.sub(_masked, _BASE64.sub(_without_numbers, data))


def _masked(found: re.Match[bytes]) -> bytes:
    if found["date"]:
        return found[0]
    prefix = found["plus"] or b""
    digits = _ENCODED_CHARACTER.sub(b"", found[0][len(prefix) :]).decode()
    return prefix + mask("+" + digits)[1:].encode()


def _without_numbers(word: re.Match[bytes]) -> bytes:
    text = word[0].rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    try:
        held = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError:
        return word[0]
    if word[0].isdigit() or not any(m["date"] is None for m in _LIKE_A_NUMBER.finditer(held)):
        return word[0]
    return b"[base64 of %d bytes that hold a number]" % len(held)
