"""A request as it is judged: paths, methods, tokens, public URLs, what its query carries."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from aiohttp.http_exceptions import BadHttpMessage

from streams.discreet import discreet_logger
from streams.gateway import answers
from streams.gateway.answers import Reply
from streams.gateway.doors import Door, Endpoint
from streams.gateway.recent import Recent
from streams.gateway.request import Request, door_of, public_base, record_of, refusal
from streams.label_values import Answer

SIGNED = Door("twilio", "twilio-status-callback", Endpoint.STATUS, True, (b"12345",), "outcomes")
TOKENED = Door("jasmin 1", "jasmin-http", Endpoint.STATUS, False, (b"s3cret", b"0ld"), "outcomes")
OWN = Door("own", "canonical", Endpoint.OUTCOMES, False, (b"s3cret",), "outcomes")
DOORS = {(d.source, d.endpoint.value): d for d in (SIGNED, TOKENED, OWN)}


def asked(target: str, method: str = "POST", headers: Mapping[str, str] | None = None) -> Request:
    return Request(method, target, headers or {}, "")


@pytest.mark.parametrize(
    ("target", "door"),
    [
        ("/v1/twilio/status", SIGNED),
        ("/v1/twilio/status?carrier=310-260", SIGNED),
        ("/v1/jasmin%201/status", TOKENED),
        ("/v1/own/outcomes", OWN),
    ],
)
def test_the_path_names_source_and_endpoint(target: str, door: Door) -> None:
    assert door_of(DOORS, asked(target)) is door


@pytest.mark.parametrize(
    "target",
    [
        *("/", "", "*", "/v1", "/v1/twilio", "/v1/twilio/events", "/v1/own/status", "/v2/twilio/status"),
        *("/v1/twilio/status/", "/v1/nobody/status", "/v1//status", "//v1/twilio/status"),
    ],
)
def test_every_other_path_leads_nowhere(target: str) -> None:
    assert door_of(DOORS, asked(target)) is answers.NOT_FOUND


def test_only_records_with_a_token_may_come_by_get() -> None:
    assert door_of(DOORS, asked("/v1/jasmin%201/status", "GET")) is TOKENED
    for target in ("/v1/twilio/status", "/v1/own/outcomes"):
        reply = door_of(DOORS, asked(target, "GET"))
        assert isinstance(reply, Reply) and (reply.answer, reply.allow) == (Answer.METHOD, "POST")
    reply = door_of(DOORS, asked("/v1/jasmin%201/status", "PUT"))
    assert isinstance(reply, Reply) and reply.allow == "GET, POST"


@pytest.mark.parametrize(
    ("headers", "query", "believed"),
    [
        ({"Authorization": "Bearer s3cret"}, "", True),
        ({"Authorization": "bearer  0ld"}, "", True),
        ({}, "?token=s3cret&id=1", True),
        ({}, "?token=s3cre%74", True),
        ({}, "", False),
        ({}, "?token=", False),
        ({}, "?token=S3cret", False),
        ({}, "?token=other&token=s3cret", False),
        ({"Authorization": "Bearer other"}, "?token=s3cret", False),
        ({"Authorization": "Bearer \udcff"}, "", False),
    ],
)
def test_a_token_comes_in_the_header_or_in_the_query(
    headers: Mapping[str, str], query: str, believed: bool
) -> None:
    reply = refusal(TOKENED, asked(f"/v1/jasmin%201/status{query}", "POST", headers), b"")
    assert reply is (None if believed else answers.FORBIDDEN_TOKEN)


def test_a_query_may_carry_the_record_and_loses_its_token() -> None:
    target = "/v1/jasmin%201/status?token=s3cret&id=1&message_status=DELIVRD&carrier=310-260"
    expected = b"id=1&message_status=DELIVRD&carrier=310-260"
    assert record_of(TOKENED, asked(target, "GET"), b"") == (expected, {})
    assert record_of(TOKENED, asked(target), b"") == (expected, {})


def test_beside_a_body_the_query_carries_labels_alone() -> None:
    target = "/v1/twilio/status?region=US&carrier=a&carrier=b&traffic_class=otp&x=1"
    given = {"carrier": "a", "region": "US", "traffic_class": "otp"}
    assert record_of(SIGNED, asked(target), b"a=1") == (b"a=1", given)
    assert record_of(SIGNED, asked("/v1/twilio/status"), b"a=1") == (b"a=1", {})


# -- the public URL --------------------------------------------------------------------------------

FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "sms.example.org"}


def test_a_configured_public_url_is_not_argued_with() -> None:
    base = public_base("https://sms.example.org/hooks/", lambda peer: True)
    assert base("10.0.0.1", {"X-Forwarded-Host": "evil.example"}) == "https://sms.example.org/hooks"


def test_proxy_headers_count_from_trusted_proxies_only() -> None:
    base = public_base("", lambda peer: peer == "10.0.0.1")
    assert base("10.0.0.1", FORWARDED) == "https://sms.example.org"
    assert base("10.0.0.2", FORWARDED) == ""


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"X-Forwarded-Host": "evil.example, sms.example.org"}, "https://sms.example.org"),
        ({"X-Forwarded-Proto": "gopher"}, ""),
        ({"X-Forwarded-Host": ""}, ""),
    ],
)
def test_of_several_values_the_nearest_proxy_s_counts(more: Mapping[str, str], expected: str) -> None:
    assert public_base("", lambda peer: True)("10.0.0.1", {**FORWARDED, **more}) == expected


# -- answers, repeats, logs ------------------------------------------------------------------------


def test_every_answer_has_its_status() -> None:
    assert answers.STATUS.keys() == set(Answer)


async def test_a_repeated_request_shares_the_write_of_the_first_until_that_fails() -> None:
    recent = Recent()
    good, bad = (asyncio.get_running_loop().create_future() for _ in range(2))
    recent.put("a", good)
    recent.put("b", bad)
    assert recent.get("a") is good and recent.get("b") is bad
    good.set_result(0)
    bad.set_result(-192)
    await asyncio.sleep(0)
    assert recent.get("a") is good
    assert recent.get("b") is None


async def test_the_oldest_requests_are_forgotten() -> None:
    recent = Recent(most=2)
    for key in "abc":
        done = asyncio.get_running_loop().create_future()
        done.set_result(0)
        recent.put(key, done)
    assert [recent.get(key) is not None for key in "abc"] == [False, True, True]


def test_errors_are_told_without_their_words(caplog: pytest.LogCaptureFixture) -> None:
    logger, number = discreet_logger(), "+1202555" + "0123"
    try:
        raise ValueError(number)
    except ValueError as e:
        logger.error("Error handling request from %s", "192.0.2.1", exc_info=e)
    logger.error("unhandled: %s", number)
    logger.error("bad", exc_info=BadHttpMessage("POST /v1/own?token=s3cret"))
    assert [r.levelname for r in caplog.records] == ["ERROR", "ERROR"]
    assert "ValueError" in caplog.text and "test_errors_are_told_without_their_words" in caplog.text
    assert number not in caplog.text and "192.0.2.1" not in caplog.text
