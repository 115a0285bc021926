"""Envelopes come off step by step; what is not wrapped passes as it came."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.decode import FORMATS, Options, format_of
from streams.decode.envelope import MOST_PIECES, PARAMETERS, STEPS, opener, with_parameters
from streams.errors import ConfigError

FORM = b"MessageSid=SM1&MessageStatus=sent"
EVENT = {"data": {"messageSid": "SM1"}}
DECODER = format_of("twilio-status-callback").decoder(Options())
EVENTS = format_of("twilio-event-streams").decoder(Options())


def opened(envelope: str, value: Any) -> list[bytes]:
    take_apart = opener(envelope, DECODER)
    assert take_apart is not None
    return take_apart(value if isinstance(value, bytes) else json.dumps(value).encode())


def b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


@pytest.mark.parametrize(
    ("envelope", "value"),
    [
        ("base64", b64(FORM).encode()),
        ("path:body", {"body": FORM.decode()}),
        ("path:body+base64", {"body": b64(FORM)}),
        ("path:args.0.Message.body", {"args": [{"Message": {"body": FORM.decode()}}]}),
        ("api-gateway", {"body": FORM.decode(), "isBase64Encoded": False}),
        ("api-gateway", {"body": b64(FORM), "isBase64Encoded": True, "queryStringParameters": None}),
        ("sns", {"Type": "Notification", "Message": FORM.decode()}),
        ("sns", {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": FORM.decode()}}]}),
        ("sqs", {"MessageId": "1", "Body": FORM.decode()}),
        ("sqs", {"Records": [{"body": FORM.decode()}]}),
        ("sqs+sns", {"Records": [{"body": json.dumps({"Message": FORM.decode()})}]}),
        ("kinesis", {"Records": [{"kinesis": {"data": b64(FORM)}}]}),
        ("kinesis", {"Data": b64(FORM)}),
    ],
)
def test_a_record_comes_out_of_its_envelope(envelope: str, value: Any) -> None:
    assert opened(envelope, value) == [FORM]


def test_an_object_inside_comes_out_as_json() -> None:
    assert [json.loads(v) for v in opened("path:detail", {"detail": EVENT})] == [EVENT]


def test_every_message_of_a_batch_comes_out_in_order() -> None:
    batch = {"Records": [{"body": f"MessageSid=SM{i}"} for i in range(5)]}
    assert opened("sqs", batch) == [f"MessageSid=SM{i}".encode() for i in range(5)]


@pytest.mark.parametrize("envelope", [*STEPS, "path:a.b", "path:a.*.b", "sqs+sns+base64"])
@given(value=st.binary(max_size=40) | st.sampled_from([FORM, b"", b"{}", b"[]", b"null", b"[" * 2000]))
def test_what_is_not_wrapped_passes_as_it_came(envelope: str, value: bytes) -> None:
    take_apart = opener(envelope, DECODER)
    assert take_apart is not None
    found = take_apart(value)
    assert found == [value] or (envelope.endswith("base64") and found == [base64.b64decode(value)])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=6),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["Records", "body", "Message", "kinesis"]), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_any_json_comes_out_as_one_record_or_more(value: Any) -> None:
    for envelope in STEPS:
        assert len(opened(envelope, value)) >= 1


def test_the_items_of_an_array_come_out_byte_for_byte() -> None:
    take_apart = opener("", EVENTS)
    assert take_apart is not None
    assert take_apart(b' [ {"a": 1.0}, [],\n"x" ] ') == [b'{"a": 1.0}', b"[]", b'"x"']
    assert take_apart(b"[]") == [b"[]"], "an empty array is one record that can not be read, not none"


def test_a_value_of_endless_records_is_not_taken_apart() -> None:
    take_apart = opener("", EVENTS)
    assert take_apart is not None
    bomb = b"[" + b"0," * MOST_PIECES + b"0]"
    assert take_apart(bomb) == [bomb]


@pytest.mark.parametrize("envelope", ["zip", "sqs+", "path:", "path:a..b", "+"])
def test_an_unknown_envelope_is_refused_with_the_known_ones(envelope: str) -> None:
    with pytest.raises(ConfigError, match=r"api-gateway, base64, kinesis, sns, sqs, path:a\.b"):
        opener(envelope, DECODER)


def test_a_source_without_an_envelope_is_not_taken_apart() -> None:
    assert opener("", DECODER) is None
    assert {name for name in FORMATS if opener("", format_of(name).decoder(Options()))} >= {
        "twilio-event-streams"
    }


# -- parameters of the URL -----------------------------------------------------------------------


def test_parameters_of_the_url_go_with_a_form_and_the_forms_own_count() -> None:
    assert with_parameters(FORM, {"carrier": "310-26 0&x"}) == FORM + b"&carrier=310-26+0%26x"
    (reading,) = DECODER.decode_batch([with_parameters(FORM + b"&carrier=a", {"carrier": "b"})])
    assert getattr(reading, "carrier", None) == "a"


def test_parameters_of_the_url_go_into_an_object_that_lacks_them() -> None:
    given = {"carrier": "a", "region": "US", "token": "secret", "traffic_class": ""}
    assert json.loads(with_parameters(b'{"region": "CA"}', given)) == {"carrier": "a", "region": "CA"}


@given(st.binary(max_size=30))
def test_without_parameters_a_body_stays_as_it_is(body: bytes) -> None:
    assert with_parameters(body, {"page": "7", PARAMETERS[0]: ""}) == body
