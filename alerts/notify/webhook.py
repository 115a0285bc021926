"""A webhook of the user's own: each change of an incident as signed JSON (docs/alerting.md).

POST URL
Idempotency-Key: {dedup_key}:{seq}
X-Carrier-Health-Signature: t={epoch s},v1={hex HMAC-SHA256 of "{t}." and the body}
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import msgspec

from alerts.notify import Accepted, SendResult
from alerts.notify.client import TIMEOUT_S, Answer, Client, links_of, refusal
from alerts.records import Page
from alerts.settings import Webhook as WebhookSettings

VERSION = 1
SIGNATURE = "X-Carrier-Health-Signature"


class Webhook:
    """The route `webhook`. `clock_ms` is wall time: a receiver refuses what is signed long ago."""

    def __init__(
        self, settings: WebhookSettings, clock_ms: Callable[[], int], timeout_s: float = TIMEOUT_S
    ) -> None:
        self._url, self._secret, self._clock_ms = settings.url, settings.secret, clock_ms
        self._client = Client([settings.url, settings.secret], timeout_s)

    async def close(self) -> None:
        await self._client.close()

    async def send(self, page: Page) -> SendResult:
        raw = msgspec.json.encode(body(page))
        headers = {
            "Idempotency-Key": f"{page.dedup_key}:{page.seq}",
            SIGNATURE: signature(self._secret.reveal(), self._clock_ms() // 1000, raw),
        }
        answer = await self._client.post(self._url.reveal(), raw, headers)
        if not isinstance(answer, Answer):
            return answer
        return Accepted() if 200 <= answer.status < 300 else refusal(answer)


def body(page: Page) -> dict[str, Any]:
    """What is posted, documented in docs/alerting.md. Times are epoch milliseconds."""
    return {
        "v": VERSION,
        "action": page.action,
        "dedup_key": page.dedup_key,
        "seq": page.seq,
        "incident": page.incident_key,
        "severity": page.severity.value,
        "summary": page.summary,
        "detected_ms": page.timestamp_ms,
        "decided_ms": page.decided_ms,
        "rule": page.event_class,
        "carrier": page.component,
        "region": page.group,
        "team": page.team,
        "details": page.details,
        "links": links_of(page),
    }


def signature(secret: str, at_s: int, raw: bytes) -> str:
    """`t=…,v1=…`: the time is signed too, so that nothing old can be played again."""
    digest = hmac.new(secret.encode(), f"{at_s}.".encode() + raw, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"
