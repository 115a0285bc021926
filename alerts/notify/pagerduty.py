"""PagerDuty, Events API v2: one POST a page, no retries of its own, nothing sent that it refuses.

The vendor's client retries without end and without saying so; here the reconciler owns retries.
Limits: PagerDuty/developer-docs, docs/events-API-v2 (01-Overview, 02-Trigger-Events).
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import aiohttp
import msgspec

from alerts.notify import Accepted, InDoubt, Refused, Retry, SendResult
from alerts.records import Page
from alerts.settings import PagerDuty as PagerDutySettings
from streams.proxy import proxy_of

PATH = "/v2/enqueue"
TIMEOUT_S = 10.0
SUMMARY_CHARACTERS = 1024
DEDUP_KEY_CHARACTERS = 255
BODY_BYTES = 512_000
TEXT_CHARACTERS = 500
CLIENT = "carrier-health"
GATEWAY = (502, 504)
"""The word of a gateway: what stands behind it may have taken the event."""


class PagerDuty:
    """The route `pagerduty`. Open it in the event loop that sends; close it there."""

    route = "pagerduty"

    def __init__(
        self, settings: PagerDutySettings, client_url: str = "", timeout_s: float = TIMEOUT_S
    ) -> None:
        """`client_url`: where the list of incidents is, '' for none."""
        self._url = settings.base_url.rstrip("/") + PATH
        self._key, self._client_url = settings.routing_key, client_url
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> PagerDuty:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, page: Page) -> SendResult:
        """One attempt, at most 10 s."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, proxy=proxy_of(self._url))
        body = encode(event(page, self._key.reveal(), self._client_url))
        try:
            return await self._post(self._session, body)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as e:
            return Retry(0, None, f"no connection: {self._masked(str(e))}")
        except TimeoutError:
            return InDoubt(f"no answer in {self._timeout.total:g} s")
        except aiohttp.ClientError as e:
            return InDoubt(self._masked(f"{type(e).__name__}: {e}"))

    async def _post(self, session: aiohttp.ClientSession, body: bytes) -> SendResult:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        # A redirect would carry the key to whoever is named there.
        async with session.post(self._url, data=body, headers=headers, allow_redirects=False) as answer:
            raw = await answer.content.read(4 * TEXT_CHARACTERS)
            text = self._masked(raw.decode("utf-8", "replace"))
            return judge(answer.status, retry_after_s(answer.headers.get("Retry-After")), text)

    def _masked(self, text: str) -> str:
        key = self._key.reveal()
        return (text.replace(key, "****") if key else text)[:TEXT_CHARACTERS]


def judge(status: int, after_s: float | None, text: str) -> SendResult:
    """What an answer means. Only 202 is an acceptance; any other 2xx is somebody else's answer."""
    if status == 202:
        return Accepted()
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


def event(page: Page, routing_key: str, client_url: str = "") -> dict[str, Any]:
    """The event as PagerDuty wants it; a resolve carries no payload."""
    body: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": page.action,
        "dedup_key": short_key(page.dedup_key),
    }
    if page.action != "trigger":
        return body
    body["payload"] = _payload(page)
    body["client"] = CLIENT
    if client_url:
        body["client_url"] = client_url
    if page.links:
        body["links"] = [{"href": href, "text": text} for href, text in page.links]
    return body


def encode(body: dict[str, Any]) -> bytes:
    """JSON within the size that is taken: details go first, then links."""
    raw = msgspec.json.encode(body)
    if len(raw) > BODY_BYTES and "payload" in body:
        payload = {**body["payload"], "custom_details": {"left_out": f"{len(raw)} bytes are too many"}}
        body = {**body, "payload": payload}
        raw = msgspec.json.encode(body)
    if len(raw) > BODY_BYTES:
        raw = msgspec.json.encode({k: v for k, v in body.items() if k != "links"})
    return raw


def short_key(key: str) -> str:
    """The key, or a readable beginning and a hash where it is too long: always the same one."""
    if len(key) <= DEDUP_KEY_CHARACTERS:
        return key
    tail = hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"{key[: DEDUP_KEY_CHARACTERS - len(tail) - 1]}~{tail}"


def _payload(page: Page) -> dict[str, Any]:
    at = datetime.fromtimestamp(page.timestamp_ms / 1000, UTC)
    payload: dict[str, Any] = {
        "summary": _short(page.summary or page.dedup_key),
        "source": page.source or CLIENT,
        "severity": page.severity.value,
        "timestamp": at.isoformat(timespec="milliseconds"),
    }
    optional = {
        "component": page.component,
        "group": page.group,
        "class": page.event_class,
        "custom_details": page.details,
    }
    return payload | {name: value for name, value in optional.items() if value}


def _short(summary: str) -> str:
    if len(summary) <= SUMMARY_CHARACTERS:
        return summary
    return summary[: SUMMARY_CHARACTERS - 1] + "…"
