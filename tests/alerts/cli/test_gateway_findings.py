"""What `doctor` says about the gateway, and when `run` starts it."""

from __future__ import annotations

from alerts.doctor.finding import Level
from alerts.doctor.gateway import check_gateway
from alerts.settings import PagerDuty, Settings
from streams.gateway.doors import is_wanted
from streams.settings import Gateway, Ingest, Secret, Source

TOKEN = Secret("12345")
WEBHOOK = PagerDuty(webhook_secret=TOKEN)
SOURCES = (
    Source(name="twilio", format="twilio-status-callback", auth_token=TOKEN),
    Source(name="own", format="canonical", bearer_token=TOKEN),
)


def said(gateway: Gateway, *sources: Source, ingest: Ingest | None = None) -> list[tuple[Level, str]]:
    settings = Settings(gateway=gateway, sources=sources, ingest=ingest or Ingest())
    return [(f.level, f.found) for f in check_gateway(settings)]


def test_it_says_what_providers_must_call() -> None:
    assert said(Gateway(public_url="https://sms.example.org/"), *SOURCES) == [
        (Level.OK, "twilio: https://sms.example.org/v1/twilio/status, signed by Twilio"),
        (Level.OK, "own: https://sms.example.org/v1/own/outcomes, with its bearer token"),
    ]


def test_it_says_what_pagerduty_must_call() -> None:
    settings = Settings(gateway=Gateway(public_url="https://sms.example.org"), pagerduty=WEBHOOK)
    assert [(f.level, f.found) for f in check_gateway(settings)] == [
        (Level.OK, "PagerDuty: https://sms.example.org/v1/pagerduty/webhook, signed by PagerDuty")
    ]
    assert is_wanted(settings)


def test_without_a_gateway_it_says_nothing() -> None:
    assert said(Gateway(), Source(name="twilio", format="twilio-status-callback")) == []


def test_it_warns_of_what_would_surprise() -> None:
    ((level, _),) = said(Gateway(enabled=True))
    assert level is Level.WARN
    config = Gateway(public_url="http://sms.example.org", trusted_proxies="0.0.0.0/0, 10.0.0.0/8")
    warnings = [
        found
        for level, found in said(config, *SOURCES, ingest=Ingest(max_record_bytes=10))
        if level is Level.WARN
    ]
    assert [w.split(" ")[0] for w in warnings] == [
        "gateway.public_url",
        "gateway.trusted_proxies:",
        "gateway.max_body_bytes",
    ]
