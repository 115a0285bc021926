"""Forms, query strings and flat JSON objects."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.decode.form import read_fields
from streams.records import Malformed, Reason

NAMES = frozenset({"id", "to"})


@given(st.dictionaries(st.sampled_from(["id", "to", "x"]), st.text(min_size=1, max_size=9), min_size=1))
def test_a_form_and_the_same_as_json_read_alike(fields: dict[str, str]) -> None:
    wanted = {k: v for k, v in fields.items() if k in NAMES}
    assert read_fields(json.dumps(fields).encode(), NAMES) == wanted
    # A lone surrogate is no UTF-8, and a blank before digits is a `+` that was not encoded.
    plain = all(v.isprintable() and v == v.strip() for v in fields.values())
    if plain:
        assert read_fields(urlencode(fields).encode(), NAMES) == wanted


@pytest.mark.parametrize(
    "value, fields",
    [
        (b"id=1&id=2&to=", {"id": "1"}),
        (b"?id=1&to=%2B12025550123", {"id": "1", "to": "+12025550123"}),
        (b"id=1&to=+12025550123", {"id": "1", "to": "+12025550123"}),
        (b"id", {}),
        (b'{"id":7,"to":null,"x":[1]}', {"id": "7"}),
        (b' {"id":"","to":"a b"}', {"to": "a b"}),
    ],
)
def test_what_is_there_is_read(value: bytes, fields: dict[str, str]) -> None:
    assert read_fields(value, NAMES) == fields


@pytest.mark.parametrize(
    "value, reason",
    [
        (b"", Reason.EMPTY),
        (b" \n", Reason.EMPTY),
        (b"id=\xff", Reason.NOT_UTF8),
        (b'{"id":true}', Reason.WRONG_TYPE),
        (b'{"id":1.5}', Reason.WRONG_TYPE),
        (b'{"id":["+12025550123"]}', Reason.WRONG_TYPE),
        (b'{"id":' + b"9" * 100 + b"}", Reason.WRONG_TYPE),
        (b'{"id":', Reason.NOT_JSON),
        (b"[]", Reason.WRONG_TYPE),
    ],
)
def test_what_can_not_be_read_says_why(value: bytes, reason: Reason) -> None:
    found = read_fields(value, NAMES)
    assert isinstance(found, Malformed) and found.reason is reason
