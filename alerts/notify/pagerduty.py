"""PagerDuty, Events API v2: one POST a page, no retries of its own, nothing sent that it refuses.

The vendor's client retries without end and without saying so; here the reconciler owns retries.
Limits: PagerDuty/developer-docs, docs/events-API-v2 (01-Overview, 02-Trigger-Events).
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from alerts.notify import Accepted, Refused, SendResult
from alerts.notify.client import TIMEOUT_S, Answer, Client, iso, links_of, refusal
from alerts.records import Page
from alerts.settings import PagerDuty as PagerDutySettings
from alerts.settings import key_id
from streams.settings import Secret

PATH = "/v2/enqueue"
CHANGE_PATH = "/v2/change/enqueue"
SUMMARY_CHARACTERS = 1024
DEDUP_KEY_CHARACTERS = 255
BODY_BYTES = 512_000
CLIENT = "carrier-health"
GONE = 410


class PagerDuty:
    """The route `pagerduty`. Open it in the event loop that sends; close it there.

    It holds the routing key in force and the one before: PagerDuty drops, silently and with a 202,
    a resolve by another key than the one that opened.
    """

    def __init__(
        self, settings: PagerDutySettings, client_url: str = "", timeout_s: float = TIMEOUT_S
    ) -> None:
        """`client_url`: where the list of incidents is, '' for none."""
        self._base, self._client_url = settings.base_url.rstrip("/"), client_url
        self._key = settings.routing_key
        keys = [key for key in (settings.previous_routing_key, settings.routing_key) if key]
        self._keys: dict[str, Secret] = {key_id(key): key for key in keys}
        self._client = Client(keys, timeout_s)

    async def __aenter__(self) -> PagerDuty:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._client.close()

    async def send(self, page: Page) -> SendResult:
        """One attempt, at most 10 s."""
        key = self._keys.get(page.routing_key_id) if page.routing_key_id else self._key
        if key is None:
            return Refused(GONE, orphan_words(page))
        if page.action == "tell":
            answer = await self._client.post(self._base + CHANGE_PATH, encode(change(page, key.reveal())), {})
        else:
            body = encode(event(page, key.reveal(), self._client_url))
            answer = await self._client.post(self._base + PATH, body, {})
        return judge(answer) if isinstance(answer, Answer) else answer


def orphan_words(page: Page) -> str:
    return (
        f"opened with the routing key of id {page.routing_key_id}, which is not configured any more: "
        f"set previous_routing_key to it and start again, or {page.action} it in PagerDuty by hand"
    )


def judge(answer: Answer) -> SendResult:
    """Only 202 is an acceptance."""
    return Accepted() if answer.status == 202 else refusal(answer)


def change(page: Page, routing_key: str) -> dict[str, Any]:
    """A change event: it notifies nobody and is kept for 90 days."""
    payload = {
        "summary": _short(page.summary or page.dedup_key),
        "source": page.source or CLIENT,
        "timestamp": iso(page.timestamp_ms),
        "custom_details": page.details,
    }
    return {"routing_key": routing_key, "payload": payload, "links": links_of(page)}


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
        body["links"] = links_of(page)
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
    payload: dict[str, Any] = {
        "summary": _short(page.summary or page.dedup_key),
        "source": page.source or CLIENT,
        "severity": page.severity.value,
        "timestamp": iso(page.timestamp_ms),
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
