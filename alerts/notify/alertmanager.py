"""Alertmanager, API v2, as good a client as Prometheus.

An alert is said again every minute to every member, each time good for four more: Alertmanager
keeps no alerts over a restart, and ends what nobody speaks of. The labels were frozen at opening;
what may change is in annotations. Each member has all alerts (no balancer in between): members
tell each other only what they have notified.

Facts: prometheus/alertmanager docs/alerts_api.md; prometheus/prometheus rules/alerting.go
(resolvedRetention 15 min) and rules/manager.go (endsAt after 4 intervals).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from alerts.notify import Accepted, InDoubt, Refused, Retry, SendResult
from alerts.notify.client import Answer, Client, iso, refusal
from alerts.records import Page
from alerts.settings import Alertmanager as AlertmanagerSettings

PATH = "/api/v2/alerts"
ALERT_NAME = "CarrierHealthIncident"
"""As the shipped rule calls it, so that routes and silences hold for both ways."""
REPEAT_MS = 60_000
GOOD_FOR_MS = 240_000
REPEAT_RESOLVED_MS = 900_000
TIMEOUT_S = 5.0
REST_S = 30.0
"""A member that does not answer is left alone for so long: the others' alerts must not run out."""


class Alertmanager:
    """The route `alertmanager-api`. `clock_ms` is wall time."""

    def __init__(
        self,
        settings: AlertmanagerSettings,
        clock_ms: Callable[[], int],
        incidents_url: str = "",
        timeout_s: float = TIMEOUT_S,
        rest_s: float = REST_S,
    ) -> None:
        """`incidents_url`: where the list of incidents is, '' for none."""
        self._urls = [url.rstrip("/") + PATH for url in settings.members]
        self._headers = {}
        if settings.bearer_token:
            self._headers["Authorization"] = f"Bearer {settings.bearer_token.reveal()}"
        self._clock_ms, self._generator = clock_ms, incidents_url
        self._client = Client([settings.bearer_token], timeout_s)
        self._rest_s = rest_s
        self._rests_until: dict[str, float] = {}

    async def close(self) -> None:
        await self._client.close()

    async def send(self, page: Page) -> SendResult:
        """To all members at once; taken when one has taken it, as with Prometheus."""
        raw = msgspec.json.encode([alert(page, self._clock_ms(), self._generator)])
        awake = [url for url in self._urls if self._rests_until.get(url, 0.0) <= time.monotonic()]
        results = await asyncio.gather(*(self._tell(url, raw) for url in awake or self._urls))
        return together(results)

    async def _tell(self, url: str, raw: bytes) -> SendResult:
        answer = await self._client.post(url, raw, self._headers)
        if not isinstance(answer, Answer):
            self._rests_until[url] = time.monotonic() + self._rest_s
            return answer
        return Accepted() if answer.status == 200 else refusal(answer)


def together(results: Sequence[SendResult]) -> SendResult:
    """One acceptance is enough; else what leaves the most to hope for."""
    for kind in (Accepted, InDoubt, Retry, Refused):
        for result in results:
            if isinstance(result, kind):
                return result
    return Retry(0, None, "no member")


def alert(page: Page, now_ms: int, generator: str = "") -> dict[str, Any]:
    """The alert as Alertmanager wants it; a start or end in the future is brought to now."""
    starts_ms = min(page.timestamp_ms, now_ms)
    ends_ms = now_ms + GOOD_FOR_MS
    if page.action != "trigger":
        ends_ms = max(starts_ms, min(page.decided_ms or now_ms, now_ms))
    annotations = {"summary": page.summary, **{k: str(v) for k, v in page.details.items() if v != ""}}
    annotations |= {_annotation(text): href for href, text in page.links}
    return {
        "labels": {"alertname": ALERT_NAME, **page.labels},
        "annotations": {name: value for name, value in annotations.items() if value},
        "startsAt": iso(starts_ms),
        "endsAt": iso(ends_ms),
        "generatorURL": generator,
    }


def _annotation(text: str) -> str:
    """`Runbook` is `runbook_url`, as rules name it."""
    return f"{text.lower().replace(' ', '_')}_url"
