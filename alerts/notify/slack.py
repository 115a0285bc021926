"""Slack: one message an incident, edited as it changes; or an incoming webhook, which can not edit.

API: docs.slack.dev, methods chat.postMessage and chat.update (answers are 200 with `ok`), incoming
webhooks (answer `ok` as text), and the limits of a section's text (3000 characters).
"""

from __future__ import annotations

from typing import Any

import msgspec

from alerts.notify import Accepted, Refused, Retry, SendResult
from alerts.notify.client import TIMEOUT_S, Answer, Client, refusal
from alerts.records import Page, Severity
from alerts.settings import Slack as SlackSettings

TEXT_CHARACTERS = 2900
COLOURS = {Severity.CRITICAL: "#d0021b", Severity.WARNING: "#f5a623", Severity.INFO: "#4a90e2"}
RESOLVED_COLOUR = "#2eb67d"
PASSING = ("ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable")
"""Errors of the API that another try may not meet."""
REFUSED = 400
"""The status that stands for an answer `ok: false`."""
ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Slack:
    """The route `slack`. Repeats nothing: a message posted without an answer may be posted twice."""

    def __init__(self, settings: SlackSettings, timeout_s: float = TIMEOUT_S) -> None:
        self._settings = settings
        self._client = Client([settings.token, settings.webhook_url], timeout_s)

    async def close(self) -> None:
        await self._client.close()

    async def send(self, page: Page) -> SendResult:
        if self._settings.webhook_url:
            return await self._hook(page)
        channel, _, stamp = page.ref.partition(":")
        if stamp:
            return await self._call("chat.update", {"channel": channel, "ts": stamp, **message(page)})
        return await self._call("chat.postMessage", {"channel": self._settings.channel, **message(page)})

    async def _hook(self, page: Page) -> SendResult:
        raw = msgspec.json.encode(message(page))
        answer = await self._client.post(self._settings.webhook_url.reveal(), raw, {})
        if not isinstance(answer, Answer):
            return answer
        return Accepted() if answer.status == 200 and answer.body.strip() == b"ok" else refusal(answer)

    async def _call(self, method: str, arguments: dict[str, Any]) -> SendResult:
        url = f"{self._settings.base_url.rstrip('/')}/api/{method}"
        headers = {
            "Authorization": f"Bearer {self._settings.token.reveal()}",
            "Content-Type": "application/json; charset=utf-8",
        }
        answer = await self._client.post(url, msgspec.json.encode(arguments), headers)
        return judge(answer) if isinstance(answer, Answer) else answer


def judge(answer: Answer) -> SendResult:
    """200 says nothing yet: `ok` does, and without it `error`."""
    said = _said(answer.body) if answer.status == 200 else None
    if said is None:
        return refusal(answer)
    if said.get("ok") is True:
        return Accepted(f"{said.get('channel', '')}:{said.get('ts', '')}")
    error = str(said.get("error", "no reason"))[:100]
    return Retry(429, answer.after_s, error) if error in PASSING else Refused(REFUSED, error)


def _said(body: bytes) -> dict[str, Any] | None:
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return said if isinstance(said, dict) else None


def message(page: Page) -> dict[str, Any]:
    """Text for notifications, and one attachment with a colour for its severity."""
    resolved = page.action == "resolve"
    word = "Resolved" if resolved else page.severity.value.capitalize()
    text = f"*{word}*: {page.summary.translate(ESCAPES)[:TEXT_CHARACTERS]}"
    links = " · ".join(f"<{href}|{name.translate(ESCAPES)}>" for href, name in page.links)
    block = {"type": "section", "text": {"type": "mrkdwn", "text": text}}
    blocks = (
        [block, {"type": "context", "elements": [{"type": "mrkdwn", "text": links}]}] if links else [block]
    )
    colour = RESOLVED_COLOUR if resolved else COLOURS[page.severity]
    return {"text": text, "attachments": [{"color": colour, "blocks": blocks}]}
