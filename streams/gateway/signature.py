"""Twilio's signature of a request: `X-Twilio-Signature`. Pure.

Base64 of the HMAC (SHA-1 with the Auth Token, SHA-256 with a shared key) of the public URL and
every name and value of the form, sorted by name; of a name that is repeated, its different values,
sorted. Of a body that is no form the URL holds the hash, `bodySHA256`, and the signature covers the
URL alone. Twilio signs the URL now with the port, now without. The fragment of a callback URL
(`#rc=3`) is not sent and not signed.
Source: twilio.com/docs/usage/security, and the official libraries' request validators.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Iterable, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from streams.gateway.form import Fields

HEADER = "X-Twilio-Signature"
SETTINGS_HEADER = "X-Twilio-Webhooks-Signature-Settings"
"""`key=ID,algorithm=NAME`; only there when a shared key has signed."""
BODY_HASH = "bodySHA256"
_DIGESTS = {"HMAC_SHA1": "sha1", "HMAC_SHA256": "sha256"}
_PORTS = {"https": 443, "http": 80}


def signature(token: bytes, url: str, fields: Iterable[tuple[str, str]] = (), digest: str = "sha1") -> str:
    """What Twilio writes into the header for this URL and these form fields."""
    text = url + "".join([name + value for name, value in sorted(set(fields))])
    return b64encode(hmac.digest(token, text.encode("utf-8", "replace"), digest)).decode()


def digest_of(settings: str) -> str | None:
    """The digest that SETTINGS_HEADER names, SHA-1 where it names none; None for an unknown one."""
    pairs = [part.partition("=") for part in settings.split(",")]
    named = [value.strip().upper() for name, _, value in pairs if name.strip() == "algorithm"]
    return _DIGESTS.get(named[0]) if named and named[0] else "sha1"


def is_signed(
    tokens: Sequence[bytes], given: str, base: str, target: str, fields: Fields, settings: str = ""
) -> bool:
    """Whether `given` is the signature by one of `tokens` of the URL `base` + `target`.

    `base` is scheme, host and what a proxy strips of the path, `target` the rest, query included,
    as it was sent; `settings` is SETTINGS_HEADER.
    """
    digest = digest_of(settings)
    header = given.encode("utf-8", "surrogatepass")
    return digest is not None and any(
        hmac.compare_digest(signature(token, url + target, fields, digest).encode(), header)
        for url in both_ports(base)
        for token in tokens
    )


def has_hash(body: bytes, query: Fields) -> bool:
    """Whether the query names the SHA-256 of this very body, so that the signed URL covers it."""
    given = [value for name, value in query if name == BODY_HASH]
    actual = hashlib.sha256(body).hexdigest().encode()
    return len(given) == 1 and hmac.compare_digest(actual, given[0].lower().encode("utf-8", "replace"))


@lru_cache(maxsize=256)
def both_ports(base: str) -> tuple[str, ...]:
    """`base` as it is given, and with its port left out or written out."""
    parts = urlsplit(base)
    name = parts.hostname or ""
    host = f"[{name}]" if ":" in name else name
    rest = base.partition("://")[2].partition("/")[1:]
    path = "".join(rest)
    bare = f"{parts.scheme}://{host}{path}"
    port = parts.port or _PORTS.get(parts.scheme)
    full = f"{parts.scheme}://{host}:{port}{path}"
    return tuple(dict.fromkeys((base, bare, full)))
