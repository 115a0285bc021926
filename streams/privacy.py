"""Phone numbers leave here as keyed hashes or masked, never in clear.

A bare hash of a number is no protection: there are only some 10^10 of them to try.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streams.errors import ConfigError
from streams.settings import Secret
from streams.siphash import SipKey, siphash, siphash_one

DEMO_KEY = Secret("0" * 32)
"""For looking at records without a configuration: hashes made with it protect nobody."""

SHORT_KEY_CHARACTERS = 32
"""A key with fewer can be guessed, and numbers with it."""

_KEY_ID = b"carrier-health recipient key 2"  # of the second way of hashing: the first had all by BLAKE2b
_SIP_KEY = b"carrier-health recipient key of numbers"
_CHANNEL = re.compile(r"^[a-z]+:")
_FILLING = re.compile(r"[\s().\-\u00a0\0]+")
_FULL_INTERNATIONAL_DIGITS, _MOST_DIGITS = 11, 15
_INTERNATIONAL = re.compile(r"\+[1-9][0-9]{10,14}")
_PLAIN = re.compile(r"\+?[1-9][0-9]{10,14}")
_WIDTH = 1 + _MOST_DIGITS + 1
_WEIGHTS = 10.0 ** np.arange(_MOST_DIGITS - 1, -1, -1)
_SHIFTS = 10 ** np.arange(_MOST_DIGITS, -1, -1, dtype=np.uint64)


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
    """Hashes numbers with a key, to 64 bits; another key forgets every recipient.

    International numbers of 11 to 15 digits go through SipHash-2-4, which takes thousands at a time;
    whatever else somebody writes goes through keyed BLAKE2b. `key_id` tells which key it was without
    telling the key: records carry it beside the hash, as hashes of two keys must never be compared.
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
        self._sip = SipKey.of(hashlib.blake2b(_SIP_KEY, key=fit, digest_size=16, person=b"numbers").digest())
        self.key_id = hashlib.blake2b(_KEY_ID, key=fit, digest_size=4, person=b"key id").hexdigest()

    def __call__(self, number: str) -> int:
        """The hash as an unsigned integer of 64 bits."""
        bare = canonical(number)
        if _INTERNATIONAL.fullmatch(bare):
            return siphash_one(self._sip, int(bare[1:]))
        h = self._keyed.copy()
        h.update(bare.encode("utf-8", "surrogatepass"))
        return int.from_bytes(h.digest(), "big")

    def hex(self, number: str) -> str:
        """The same hash as 16 hexadecimal digits."""
        return f"{self(number):016x}"

    def many(self, numbers: Sequence[str]) -> NDArray[np.uint64]:
        """The hash of each number, some 20 times as fast where they are international ones."""
        values = international(numbers)
        hashes = siphash(self._sip, values)
        for i in np.flatnonzero(values == 0).tolist():
            hashes[i] = self(numbers[i])
        return hashes


def international(numbers: Sequence[str]) -> NDArray[np.uint64]:
    """The digits of each number as an integer, 0 for what is not plainly an international one: 11 to 15
    digits, the first no 0, with a `+` or without."""
    try:
        text = np.array(numbers, f"S{_WIDTH}")  # one more than fits, to see what does not
    except UnicodeEncodeError:
        return np.array([int(n) if _PLAIN.fullmatch(n) else 0 for n in numbers], np.uint64)
    if not len(text):
        return np.zeros(0, np.uint64)
    rows = text.view(np.uint8).reshape(-1, _WIDTH)
    alike = _alike(rows)
    if alike is not None:
        return alike
    signed = rows[:, 0] == ord("+")
    rows = rows[:, 1:] if signed.all() else np.where(signed[:, None], np.roll(rows, -1, axis=1), rows)
    digits = rows[:, :_MOST_DIGITS] - np.uint8(ord("0"))  # what is below '0' wraps to above 9
    are = digits <= 9
    length = are.sum(axis=1)
    whole = (length >= _FULL_INTERNATIONAL_DIGITS) & (digits[:, 0] > 0) & (digits[:, 0] <= 9)
    # Nothing but digits, and nothing behind them: as many bytes that are none of both as digits are missing.
    whole &= (rows == 0).sum(axis=1) == rows.shape[1] - length
    scaled = np.where(are, digits, np.uint8(0)).astype(np.float64) @ _WEIGHTS  # exact: 15 digits fit a double
    values: NDArray[np.uint64] = scaled.astype(np.uint64) // _SHIFTS[length]
    values[~whole] = 0
    return values


def _alike(rows: NDArray[np.uint8]) -> NDArray[np.uint64] | None:
    """The integers where all rows have one length and one way of writing; None where they have not."""
    used = np.flatnonzero(rows[0])
    start, end = int(rows[0, 0] == ord("+")), len(used)
    digits = rows[:, start:end] - np.uint8(ord("0"))
    if (
        not _FULL_INTERNATIONAL_DIGITS <= end - start <= _MOST_DIGITS
        or rows[:, end].any()
        or digits.max() > 9
    ):
        return None
    if (start and (rows[:, 0] != ord("+")).any()) or not digits[:, 0].all():
        return None
    values: NDArray[np.uint64] = (digits @ _WEIGHTS[start - end :]).astype(np.uint64)
    return values


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
