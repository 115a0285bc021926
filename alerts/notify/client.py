"""One POST to somebody who is told: time limit, no redirects, no secret in what it says of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp

from alerts.notify import InDoubt, Refused, Retry
from alerts.records import Page
from streams.proxy import proxy_of
from streams.settings import Secret

TIMEOUT_S = 10.0
TEXT_CHARACTERS = 500
TOKEN_CHARACTERS = 8
ANSWER_BYTES = 64_000
GATEWAY = (502, 504)
"""The word of a gateway: what stands behind it may have taken the page."""


class Answer(NamedTuple):
    """`text` is the beginning of the body, secrets masked; `body` is only for reading."""

    status: int
    after_s: float | None
    text: str
    body: bytes


class Client:
    """Belongs to the event loop that sends. `secrets` are masked wherever they come back."""

    def __init__(self, secrets: Sequence[Secret] = (), timeout_s: float = TIMEOUT_S) -> None:
        hidden = {part for secret in secrets if secret for part in _parts(secret.reveal())}
        self._hidden = sorted(hidden, key=len, reverse=True)
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer | Retry | InDoubt:
        """One attempt. Retry: nothing was sent. InDoubt: sent, without an answer."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        try:
            return await self._post(self._session, url, body, headers)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as e:
            return Retry(0, None, f"no connection: {self.masked(str(e))}")
        except TimeoutError:
            return InDoubt(f"no answer in {self._timeout.total:g} s")
        except (aiohttp.ClientError, ValueError) as e:
            return InDoubt(self.masked(f"{type(e).__name__}: {e}"))

    async def _post(
        self, session: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        headers = {"Content-Type": "application/json", "Accept": "application/json", **headers}
        # A redirect would carry the secret to whoever is named there.
        async with session.post(
            url, data=body, headers=headers, allow_redirects=False, proxy=proxy_of(url)
        ) as answer:
            raw = await _read(answer.content)
            text = self.masked(raw.decode("utf-8", "replace"))
            return Answer(answer.status, retry_after_s(answer.headers.get("Retry-After")), text, raw)

    def masked(self, text: str) -> str:
        for secret in self._hidden:
            text = text.replace(secret, "****")
        return text[:TEXT_CHARACTERS]


def _parts(secret: str) -> list[str]:
    """A secret, and of a secret URL what may come back alone: long parts of its path and query."""
    parts = [secret]
    if "://" in secret:
        url = urlsplit(secret)
        parts += [
            part for part in re.split(r"[/&=]", f"{url.path}/{url.query}") if len(part) >= TOKEN_CHARACTERS
        ]
    return parts


async def _read(content: aiohttp.StreamReader) -> bytes:
    """The beginning of a body, whole where it is small: `read` alone returns what has come so far."""
    raw = b""
    while len(raw) < ANSWER_BYTES and (chunk := await content.read(ANSWER_BYTES - len(raw))):
        raw += chunk
    return raw


def iso(at_ms: int) -> str:
    """Epoch milliseconds as ISO 8601 in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def links_of(page: Page) -> list[dict[str, str]]:
    return [{"href": href, "text": text} for href, text in page.links]


def refusal(answer: Answer) -> Retry | Refused | InDoubt:
    """What an answer means that is no acceptance. Another 2xx is somebody else's answer."""
    status, after_s, text, _ = answer
    if status < 300 or status in GATEWAY:
        return InDoubt(f"status {status}: {text}", after_s)
    if status >= 500 or status in (408, 429):
        return Retry(status, after_s, text)
    return Refused(status, text)


def retry_after_s(header: str | None) -> float | None:
    """Seconds to wait; None when the header is absent or a date, which no pager has sent yet."""
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None
