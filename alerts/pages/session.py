"""Signed sessions and form tokens. Pure: whoever has the key can make them, nobody else.

A session says who signed in and until when, signed with a key made of `pages.token`: nothing is kept, every
process that has the token knows it, and another token ends all. HMAC-SHA256 (RFC 2104) throughout.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec

SESSION_MS = 12 * 3_600_000
"""A shift. Who is on call signs in once."""
MOST_CHARACTERS = 1_000


class Session(msgspec.Struct, frozen=True, array_like=True):
    """`until_ms` is wall time; `nonce` makes two sessions of one name two."""

    name: str
    until_ms: int
    nonce: str


_decoder = msgspec.json.Decoder(Session)


def key_of(secret: bytes, purpose: str) -> bytes:
    """A key for one purpose, from which neither the secret nor another key can be told."""
    return hmac.digest(secret, b"carrier-health pages: " + purpose.encode(), "sha256")


def sealed(session: Session, key: bytes) -> str:
    """As the value of a cookie."""
    body = urlsafe_b64encode(msgspec.json.encode(session)).decode()
    return f"{body}.{_signature(key, body)}"


def opened(value: str, key: bytes, now_ms: int) -> Session | None:
    """The session of a cookie; None for one that is over, or that nobody with the key has made."""
    body, _, signature = value.partition(".")
    if len(value) > MOST_CHARACTERS or not same(signature, _signature(key, body)):
        return None
    try:
        session = _decoder.decode(urlsafe_b64decode(body))
    except (ValueError, msgspec.MsgspecError):
        return None
    return session if now_ms < session.until_ms else None


def form_token(key: bytes, bound_to: str) -> str:
    """What a form carries, so that no other site's form is taken for one of ours."""
    return _signature(key, bound_to)


def same(given: str, wanted: str) -> bool:
    """Whether both are equal, in a time that does not tell where they differ, nor how long one is."""
    digests = (hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in (given, wanted))
    return hmac.compare_digest(*digests)


def _signature(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256").hex()
