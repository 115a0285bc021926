"""Twilio's signature: its vectors, its own package's signer, and whatever is changed is refused."""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from streams.gateway import signature
from streams.gateway.doors import Door, Endpoint
from streams.gateway.form import MOST_FIELDS, fields_of
from streams.gateway.request import FORM, Request, refusal

TOKEN = "12345"
BASE, TARGET = "https://sms.example.org", "/v1/twilio/status?carrier=310-260&region=US"
ZEROS = "0" * 32
BODY = (
    f"AccountSid=AC{ZEROS}&ApiVersion=2010-04-01&ErrorCode=30003&From=%2B15550000002"
    f"&MessageSid=SM{ZEROS[1:]}1&SmsSid=SM{ZEROS[1:]}1&MessageStatus=undelivered&SmsStatus=undelivered"
    "&RawDlrDoneDate=2607171206&To=%2B15550000001"
)
VECTORS = [
    (
        "https://mycompany.com/myapp.php?foo=1&bar=2",
        "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309",
        "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
    ),
    ("https://example.com/twilio/status", BODY, "6kOVnKABRIG+8+K8mMA2DobjdUM="),
]
DOOR = Door("twilio", "twilio-status-callback", Endpoint.STATUS, True, (TOKEN.encode(),), "outcomes")


def believed(
    body: bytes,
    given: str,
    target: str = TARGET,
    content_type: str = FORM,
    base: str = BASE,
    door: Door = DOOR,
) -> bool:
    headers = {"X-Twilio-Signature": given, "Content-Type": content_type}
    return refusal(door, Request("POST", target, headers, base), body) is None


def twilio_signs(url: str, fields: object, token: str = TOKEN) -> str:
    """The official signer's word."""
    signed: str = RequestValidator(token).compute_signature(url, fields)
    return signed


@pytest.mark.parametrize(("url", "body", "expected"), VECTORS)
def test_the_published_vectors_come_out(url: str, body: str, expected: str) -> None:
    assert signature.signature(TOKEN.encode(), url, fields_of(body)) == expected


def test_a_request_signed_by_twilios_own_package_is_believed() -> None:
    assert believed(BODY.encode(), twilio_signs(BASE + TARGET, dict(parse_qsl(BODY))))


FIELDS = st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=8)


@given(FIELDS, st.text("abc/?=&%20", max_size=20))
def test_we_sign_what_twilios_own_package_signs(fields: list[tuple[str, str]], target: str) -> None:
    expected = twilio_signs(BASE + target, MultiDict(fields))
    assert signature.signature(TOKEN.encode(), BASE + target, fields) == expected
    assert believed(urlencode(fields).encode(), expected, target)


@given(st.data())
def test_any_changed_byte_of_the_body_is_refused(data: st.DataObject) -> None:
    body = bytearray(BODY.encode())
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] = data.draw(st.integers(0, 255).filter(lambda b: b != body[place]))
    # The scheme signs what the form says: `%2b` for `%2B` is no change.
    said = fields_of(bytes(body).decode("utf-8", "replace"))
    assume(sorted(said) != sorted(fields_of(BODY)))
    assert not believed(bytes(body), twilio_signs(BASE + TARGET, dict(parse_qsl(BODY))))


@given(st.data())
def test_any_changed_character_of_the_url_is_refused(data: st.DataObject) -> None:
    url = list(BASE + TARGET)
    place = data.draw(st.integers(0, len(url) - 1))
    url[place] = data.draw(
        st.characters(min_codepoint=33, max_codepoint=126).filter(lambda c: c != url[place])
    )
    given = twilio_signs("".join(url), dict(parse_qsl(BODY)))
    assert not believed(BODY.encode(), given)


@given(st.data())
def test_any_changed_character_of_the_signature_is_refused(data: st.DataObject) -> None:
    given = list(twilio_signs(BASE + TARGET, dict(parse_qsl(BODY))))
    place = data.draw(st.integers(0, len(given) - 1))
    given[place] = data.draw(st.characters().filter(lambda c: c != given[place]))
    assert not believed(BODY.encode(), "".join(given))


def test_a_field_more_or_less_is_refused() -> None:
    given = twilio_signs(BASE + TARGET, dict(parse_qsl(BODY)))
    assert not believed(f"{BODY}&Carrier=x".encode(), given)
    assert not believed(BODY.replace("&ErrorCode=30003", "").encode(), given)


def test_fields_that_twilio_adds_unannounced_are_part_of_it() -> None:
    more = f"{BODY}&BrandNew=1&Another="
    given = twilio_signs(BASE + TARGET, dict(parse_qsl(more, keep_blank_values=True)))
    assert believed(more.encode(), given)
    assert not believed(BODY.encode(), given)


@pytest.mark.parametrize("signed", ["https://sms.example.org:443", "https://sms.example.org"])
@pytest.mark.parametrize("base", ["https://sms.example.org:443", "https://sms.example.org"])
def test_the_port_may_be_written_or_left_out(base: str, signed: str) -> None:
    given = twilio_signs(signed + TARGET, dict(parse_qsl(BODY)))
    assert believed(BODY.encode(), given, base=base)


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("http://a.example", {"http://a.example", "http://a.example:80"}),
        ("https://a.example:8443/x", {"https://a.example:8443/x", "https://a.example/x"}),
        ("https://[2001:db8::1]/x", {"https://[2001:db8::1]/x", "https://[2001:db8::1]:443/x"}),
    ],
)
def test_both_forms_of_a_base(base: str, expected: set[str]) -> None:
    assert set(signature.both_ports(base)) == expected


def test_two_tokens_are_accepted_while_one_is_changed() -> None:
    door = DOOR._replace(secrets=(b"new", b"old"))
    for token, expected in (("new", True), ("old", True), ("other", False)):
        given = twilio_signs(BASE + TARGET, dict(parse_qsl(BODY)), token)
        assert believed(BODY.encode(), given, door=door) is expected


@pytest.mark.parametrize(
    ("settings", "algorithm"),
    [("", "HMAC_SHA1"), ("key=k1,algorithm=HMAC_SHA256", "HMAC_SHA256"), ("key=k1", "HMAC_SHA1")],
)
def test_a_shared_key_may_sign_with_another_digest(settings: str, algorithm: str) -> None:
    fields = fields_of(BODY)
    given = RequestValidator(TOKEN).compute_signature(BASE + TARGET, dict(fields), algorithm)
    assert signature.is_signed((TOKEN.encode(),), given, BASE, TARGET, fields, settings)
    assert not signature.is_signed((TOKEN.encode(),), given, BASE, TARGET, fields, "algorithm=HMAC_MD5")


# -- bodies that are no form -----------------------------------------------------------------------

JSON = b'[{"data": {"messageSid": "SM1"}}]'


def hashed(body: bytes, target: str = "/v1/twilio/events") -> tuple[str, str]:
    """The target with the body's hash, and Twilio's signature of it."""
    target += f"?bodySHA256={hashlib.sha256(body).hexdigest()}"
    return target, twilio_signs(BASE + target, {})


def test_of_other_bodies_the_url_holds_the_hash() -> None:
    target, given = hashed(JSON)
    assert RequestValidator(TOKEN).validate(BASE + target, JSON.decode(), given)
    assert believed(JSON, given, target, "application/json")


@given(st.data())
def test_any_changed_byte_of_a_hashed_body_is_refused(data: st.DataObject) -> None:
    target, given = hashed(JSON)
    body = bytearray(JSON)
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] = data.draw(st.integers(0, 255).filter(lambda b: b != body[place]))
    assert not believed(bytes(body), given, target, "application/json")


def test_a_signature_that_covers_no_body_is_refused() -> None:
    target = "/v1/twilio/events"
    assert not believed(JSON, twilio_signs(BASE + target, {}), target, "application/json")
    assert not believed(JSON, twilio_signs(BASE + target, {}), target, "")


def test_of_two_hashes_none_is_taken() -> None:
    target, _ = hashed(JSON)
    target += f"&bodySHA256={hashlib.sha256(b'other').hexdigest()}"
    assert not believed(JSON, twilio_signs(BASE + target, {}), target, "application/json")


# -- what is refused before it is looked at --------------------------------------------------------


def test_without_a_signature_or_a_public_url_nothing_is_believed() -> None:
    given = twilio_signs(BASE + TARGET, dict(parse_qsl(BODY)))
    assert not believed(BODY.encode(), "")
    assert not believed(BODY.encode(), given, base="")
    assert not believed(BODY.encode(), twilio_signs(TARGET, dict(parse_qsl(BODY))), base="")


def test_a_form_that_moves_names_into_values_is_refused() -> None:
    """`To&x` and `To=x` sign the same; only the second is a form of Twilio's."""
    given = twilio_signs(BASE + TARGET, {"To": "To1"})
    assert believed(b"To=To1", given)
    assert not believed(b"To&To1", given)


def test_a_form_with_too_many_fields_is_refused_unread() -> None:
    many = "&".join(f"a{i}=1" for i in range(MOST_FIELDS + 1))
    assert not believed(many.encode(), twilio_signs(BASE + TARGET, dict(parse_qsl(many))))
