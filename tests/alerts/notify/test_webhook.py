"""What a webhook's receiver can rely on: schema, signature, idempotency."""

from __future__ import annotations

import hashlib
import hmac

import msgspec

from alerts.notify import Accepted
from alerts.notify.webhook import Webhook, body, signature
from alerts.records import Page, Severity
from alerts.settings import Webhook as WebhookSettings
from streams.settings import Secret
from tests.alerts.notify.server import Server, answers

SECRET = "0123456789abcdef"
PAGE = Page(
    "ch:a:critical",
    "ch:a",
    "trigger",
    4,
    Severity.CRITICAL,
    "12 %",
    "s",
    1_700_000_010_000,
    component="310-260",
    group="US",
    event_class="twilio_30003",
    details={"failed": 12},
    links=(("https://x.example/i", "Incident"),),
    team="ops",
    decided_ms=1_700_000_020_000,
)


async def test_a_receiver_can_check_who_sent_it_and_when() -> None:
    async with Server(behave=answers(200)) as server:
        settings = WebhookSettings(url=Secret(f"{server.url}/in?token=x"), secret=Secret(SECRET))
        webhook = Webhook(settings, lambda: 1_700_000_021_999)
        assert await webhook.send(PAGE) == Accepted()
        await webhook.close()
    (request,) = server.requests
    assert request.path == "/in?token=x"
    assert request.headers["idempotency-key"] == "ch:a:critical:4"
    signed = b"1700000021." + request.body
    digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert request.headers["x-carrier-health-signature"] == f"t=1700000021,v1={digest}"


def test_another_time_secret_or_body_has_another_signature() -> None:
    one = signature(SECRET, 1, b"{}")
    assert len({one, signature(SECRET, 2, b"{}"), signature("x", 1, b"{}"), signature(SECRET, 1, b"[]")}) == 4


def test_the_schema_is_as_documented() -> None:
    assert body(PAGE) == {
        "v": 1,
        "action": "trigger",
        "dedup_key": "ch:a:critical",
        "seq": 4,
        "incident": "ch:a",
        "severity": "critical",
        "summary": "12 %",
        "detected_ms": 1_700_000_010_000,
        "decided_ms": 1_700_000_020_000,
        "rule": "twilio_30003",
        "carrier": "310-260",
        "region": "US",
        "team": "ops",
        "details": {"failed": 12},
        "links": [{"href": "https://x.example/i", "text": "Incident"}],
    }
    assert msgspec.json.encode(body(PAGE))
