"""Which source comes in where, with which secret, and settings that could never accept anything."""

from __future__ import annotations

import pytest

from streams.errors import ConfigError
from streams.gateway.doors import NOT_TAKEN, SIGNED, Endpoint, check, doors, is_wanted
from streams.settings import Gateway, Secret, Settings, Source

SECRET, SECOND = Secret("first-secret"), Secret("second-secret")
PUBLIC = Gateway(public_url="https://sms.example.org")


def of(*sources: Source, gateway: Gateway = PUBLIC) -> Settings:
    return Settings(sources=sources, gateway=gateway)


def test_twilios_formats_are_signed_and_others_show_a_token() -> None:
    found = doors(
        of(
            Source(name="t", format="twilio-status-callback", auth_token=SECRET),
            Source(name="e", format="twilio-event-streams", auth_token=SECRET, secondary_auth_token=SECOND),
            Source(name="c", format="canonical", bearer_token=SECRET, topic="own-topic"),
            Source(name="v", format="vonage", bearer_token=SECRET),
        )
    )
    assert [(d.source, d.endpoint, d.signed, d.by_query) for d in found] == [
        ("t", Endpoint.STATUS, True, False),
        ("e", Endpoint.EVENTS, True, False),
        ("c", Endpoint.OUTCOMES, False, False),
        ("v", Endpoint.STATUS, False, True),
    ]
    assert found[1].secrets == (b"first-secret", b"second-secret")
    assert [d.topic for d in found] == [
        "carrier-health.outcomes",
        "carrier-health.outcomes",
        "own-topic",
        "carrier-health.outcomes",
    ]


def test_a_source_without_a_secret_has_no_door() -> None:
    settings = of(Source(name="t", format="twilio-status-callback"))
    assert doors(settings) == [] and not is_wanted(settings)


def test_run_starts_it_when_a_source_has_a_secret_or_when_told() -> None:
    assert is_wanted(of(Source(name="t", format="twilio-status-callback", auth_token=SECRET)))
    assert is_wanted(of(gateway=Gateway(enabled=True)))


@pytest.mark.parametrize("format_name", SIGNED)
def test_a_token_opens_nothing_for_twilio(format_name: str) -> None:
    with pytest.raises(ConfigError, match=r"bearer_token opens nothing for twilio-.*; set auth_token"):
        doors(of(Source(name="t", format=format_name, bearer_token=SECRET)))


def test_an_auth_token_opens_nothing_for_others() -> None:
    with pytest.raises(ConfigError, match="auth_token opens nothing for canonical; set bearer_token"):
        doors(of(Source(name="c", format="canonical", auth_token=SECRET)))


def test_a_second_secret_needs_a_first() -> None:
    with pytest.raises(ConfigError, match="secondary_auth_token is set without auth_token"):
        doors(of(Source(name="t", format="twilio-status-callback", secondary_auth_token=SECRET)))


@pytest.mark.parametrize("format_name", NOT_TAKEN)
def test_formats_whose_text_can_not_be_cut_out_are_not_taken(format_name: str) -> None:
    with pytest.raises(ConfigError, match=f"does not take {format_name}, which holds text"):
        doors(of(Source(name="s", format=format_name, bearer_token=SECRET)))


def test_a_signed_source_needs_a_public_url_or_a_trusted_proxy() -> None:
    source = Source(name="t", format="twilio-status-callback", auth_token=SECRET)
    with pytest.raises(ConfigError, match=r"gateway.public_url is empty.*'t'.*or gateway.trusted_proxies"):
        check(of(source, gateway=Gateway()))
    check(of(source, gateway=Gateway(trusted_proxies="127.0.0.1, 10.0.0.0/8")))
    check(of(source))


def test_a_public_url_with_a_query_is_refused() -> None:
    with pytest.raises(ConfigError, match="leave out query and fragment"):
        check(of(gateway=Gateway(public_url="https://sms.example.org?x=1")))
