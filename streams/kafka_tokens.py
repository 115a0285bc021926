"""Tokens for OAUTHBEARER: out of a file that somebody else keeps fresh, or of a token endpoint.

Source: RFC 6749, 4.4 (client credentials), RFC 7519 (`exp` of a JWT), RFC 7628 (OAUTHBEARER).
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

import msgspec

from streams.errors import Unreachable
from streams.settings_kafka import Kafka

TIMEOUT_S = 10.0
MOST_BYTES = 100_000
RENEWED_AT = 0.8
"""Share of its life after which a token is asked for anew."""
FILE_LASTS_S = 60.0
"""A token that does not say when it ends is read again after so long."""


class Token(NamedTuple):
    """A bearer token and when it ends, epoch seconds."""

    text: str
    ends_s: float

    def __repr__(self) -> str:
        return f"Token('****', {self.ends_s})"


class _Answer(msgspec.Struct):
    access_token: str
    expires_in: float | None = None


class _Claims(msgspec.Struct):
    exp: float


class _NoRedirect(HTTPRedirectHandler):
    """The secret goes where it was meant to go, nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Tokens:
    """The tokens of one client. Any thread may ask; raises Unreachable, without the token."""

    def __init__(self, kafka: Kafka, clock: Callable[[], float] = time.time) -> None:
        self._kafka, self._clock = kafka, clock
        self._lock = threading.Lock()
        self._kept: Token | None = None
        self._renew_s = 0.0

    def token(self) -> Token:
        """The token in force; takes as long as the endpoint does when it is time for a new one."""
        with self._lock:
            now_s = self._clock()
            if self._kept is None or now_s >= self._renew_s:
                self._kept = self._asked(now_s) if self._kafka.oauth_token_url else self._read(now_s)
                self._renew_s = now_s + (self._kept.ends_s - now_s) * RENEWED_AT
            return self._kept

    def _read(self, now_s: float) -> Token:
        path = self._kafka.oauth_token_file
        try:
            text = Path(path).read_text(encoding="ascii").strip()
        except (OSError, UnicodeError) as e:
            raise Unreachable("the OAuth token", path, f"reading the file: {type(e).__name__}") from None
        ends_s = _end_of(text) or now_s + FILE_LASTS_S
        if not text or ends_s <= now_s:
            raise Unreachable("the OAuth token", path, "the file holds none, or one that has ended")
        return Token(text, min(ends_s, now_s + FILE_LASTS_S / RENEWED_AT))

    def _asked(self, now_s: float) -> Token:
        url = self._kafka.oauth_token_url
        try:
            with build_opener(_NoRedirect).open(_request(self._kafka), timeout=TIMEOUT_S) as response:
                answer = msgspec.json.decode(response.read(MOST_BYTES), type=_Answer)
        except HTTPError as e:
            why = f"HTTP {e.code}: check kafka.oauth_client_id, its secret and kafka.oauth_scope"
            raise Unreachable("the OAuth token endpoint", url, why) from None
        except (URLError, OSError) as e:
            why = str(getattr(e, "reason", e))
            raise Unreachable("the OAuth token endpoint", url, why) from None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise Unreachable("the OAuth token endpoint", url, "the answer holds no access_token") from None
        lasts_s = answer.expires_in
        return Token(answer.access_token, now_s + (FILE_LASTS_S if lasts_s is None else max(lasts_s, 1.0)))


def _request(kafka: Kafka) -> Request:
    """Name and secret as Basic credentials, each form-encoded first, as RFC 6749 2.3.1 wants it."""
    form = {"grant_type": "client_credentials"} | ({"scope": kafka.oauth_scope} if kafka.oauth_scope else {})
    pair = f"{quote(kafka.oauth_client_id)}:{quote(kafka.oauth_client_secret.reveal())}"
    headers = {
        "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    return Request(kafka.oauth_token_url, urlencode(form).encode(), headers)


def _end_of(token: str) -> float | None:
    """`exp` of a JWT, unchecked: the broker checks it. None for what is no JWT, or has none."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return msgspec.json.decode(claims, type=_Claims).exp
    except (ValueError, msgspec.MsgspecError):
        return None
