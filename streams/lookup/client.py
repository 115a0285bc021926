"""One request to Twilio Lookup v2: a number in, an answer or why not out. Retries nothing.

Source: twilio.com/docs/lookup/v2-api
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

import aiohttp

from streams.label_values import Asked
from streams.lookup.answer import NOTHING, Answer, read
from streams.proxy import proxy_of
from streams.settings import Lookup

TIMEOUT_S = 10.0
MAX_RETRY_AFTER_S = 3600.0
_FIELDS = "line_type_intelligence"
_NOT_FOUND = frozenset({400, 404})
_REFUSED = frozenset({401, 403})


class Reply(NamedTuple):
    """What came back. `answer` is there when it is OK or NOT_FOUND."""

    asked: Asked
    answer: Answer | None = None
    why: str = ""
    """For the log; never holds a number."""
    retry_after_s: float | None = None


class TwilioLookup:
    """Asks one number at a time. Open it in the loop that uses it."""

    def __init__(self, lookup: Lookup) -> None:
        self._base = lookup.base_url.rstrip("/")
        self._auth = aiohttp.encode_basic_auth(lookup.account_sid, lookup.auth_token.reveal())

    async def __aenter__(self) -> TwilioLookup:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": self._auth},
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            proxy=proxy_of(self._base),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def ask(self, number: str) -> Reply:
        """Never raises. Exceptions of the HTTP client name the URL, so only their kind is told."""
        url = f"{self._base}/v2/PhoneNumbers/{quote(number, safe='+')}?Fields={_FIELDS}"
        try:
            async with self._session.get(url, allow_redirects=False) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as e:
            return Reply(Asked.ERROR, why=type(e).__name__)
        return _reply(response.status, body, response.headers.get("Retry-After", ""))


def _reply(status: int, body: bytes, retry_after: str) -> Reply:
    if status == 200:
        answer = read(body)
        if answer is None:
            return Reply(Asked.ERROR, why="the answer is not one of Lookup v2")
        return _judged(answer)
    if status in _NOT_FOUND:
        return Reply(Asked.NOT_FOUND, NOTHING)
    if status == 429:
        return Reply(Asked.RATE_LIMITED, why="HTTP 429", retry_after_s=_seconds(retry_after))
    if status in _REFUSED:
        return Reply(Asked.REFUSED, why=f"HTTP {status}: check lookup.account_sid and lookup.auth_token")
    return Reply(Asked.ERROR, why=f"HTTP {status}", retry_after_s=_seconds(retry_after))


def _judged(answer: Answer) -> Reply:
    """An error code beside a carrier takes nothing from it; without one the number is not told."""
    if answer.tells:
        return Reply(Asked.OK, answer)
    return Reply(Asked.REFUSED if answer.error_code == "60601" else Asked.NOT_FOUND, answer)


def _seconds(retry_after: str) -> float | None:
    if not (retry_after.isascii() and retry_after.isdecimal()):
        return None
    return min(float(retry_after), MAX_RETRY_AFTER_S)
