"""Which carrier an outcome counts under: the order of trust, step by step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import settings
from streams.carrier import CarrierOf, Told
from streams.networks import built_in
from streams.prefix import PrefixOf
from streams.region import RegionOf
from streams.source import Source

NETWORKS = built_in()
PREFIX_OF = PrefixOf(NETWORKS, RegionOf())
CONNECTORS = {"c1": "311480"}


def carrier_of(default: str = "", parameter: bool = False) -> CarrierOf:
    return CarrierOf(NETWORKS, default, CONNECTORS, parameter)


@pytest.mark.parametrize(
    "parameter, given_, lookup, prefix, default, carrier, source",
    [
        # 1 and 2: the record itself, before everything else
        (False, "310260", "310-410", "", "", "310-260", "record"),
        (False, "Verizon Wireless", "310-410", "", "", "311-480", "record"),
        # 3 before 4: Lookup knows better than the callback URL's parameter
        (True, "310260", "310-410", "", "", "310-410", "lookup"),
        (True, "310260", "", "", "", "310-260", "record"),
        # the same where the format may name the network itself
        (False, "label:310260", "310-410", "", "", "310-410", "lookup"),
        (False, "label:310260", "", "460-00", "", "310-260", "record"),
        (False, "label:", "", "460-00", "", "460-00", "prefix"),
        # 3 before 5 and 6
        (False, "connector:c1", "310-410", "460-00", "310-260", "310-410", "lookup"),
        (False, None, "310-410", "460-00", "310-260", "310-410", "lookup"),
        # 5: the connection that the record came over, else the source's own carrier
        (False, "connector:c1", "", "460-00", "310-260", "311-480", "connector"),
        (False, "connector:c2", "", "460-00", "310-260", "310-260", "connector"),
        (False, None, "", "460-00", "310260", "310-260", "connector"),
        # 6: the prefix, when nobody else says anything
        (False, None, "", "460-00", "", "460-00", "prefix"),
        (False, "connector:c2", "", "460-00", "", "460-00", "prefix"),
        (True, "unknown", "", "460-00", "", "460-00", "prefix"),
        # 7
        (False, None, "", "", "", "unknown", "unknown"),
        (True, "+15550000001", "", "", "", "unknown", "unknown"),
    ],
)
def test_the_order_of_trust(
    parameter: bool, given_: str | None, lookup: str, prefix: str, default: str, carrier: str, source: str
) -> None:
    found = carrier_of(default, parameter)(Told(given_, lookup, prefix))
    assert (found.id, found.source) == (carrier, source)


@pytest.mark.parametrize(
    "given_, lookup, checked",
    [
        ("310-260", "310-410", "ported"),
        ("T-Mobile USA, Inc.", "310-410", "ported"),
        ("310-160", "310-260", "same"),
        ("310-260", "", ""),
        ("some-name", "310-260", ""),
        ("310-260", "landline", ""),
        (None, "310-260", ""),
        ("connector:c1", "310-260", ""),
    ],
)
def test_ported_is_where_lookup_knows_another_network(given_: str | None, lookup: str, checked: str) -> None:
    assert carrier_of()(Told(given_, lookup)).checked == checked


@given(st.none() | st.text(), st.sampled_from(["", "310-410"]), st.booleans())
def test_a_record_can_not_pretend_to_be_lookup(text: str | None, lookup: str, parameter: bool) -> None:
    found = carrier_of(parameter=parameter)(Told(text, lookup))
    assert (
        found.source in ("lookup", "record") if lookup else found.source in ("record", "unknown", "connector")
    )


@pytest.mark.parametrize(
    "form, parameter",
    [
        ("twilio-status-callback", True),
        ("twilio-event-streams", True),
        ("kannel", True),
        ("jasmin-http", True),
        ("canonical", False),
        ("smpp-receipt", False),
        ("vonage", False),
    ],
)
def test_what_readings_call_the_carrier_is_known_of_each_format(form: str, parameter: bool) -> None:
    assert Source.of(settings.Source(name="s", format=form)).carrier_is_parameter is parameter


# -- prefixes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number, carrier",
    [
        ("+8613800000000", "460-00"),
        ("+6281100000000", "510-10"),
        ("+14155550100", ""),
        ("+447400123456", ""),
        ("+447911123456", "jt"),
        ("+4915100000000", ""),
        ("12345", ""),
        ("+86", ""),
        ("", ""),
        (None, ""),
        ("whatsapp:+8613800000000", ""),
    ],
)
def test_a_prefix_tells_the_carrier_only_where_numbers_do_not_port(number: str | None, carrier: str) -> None:
    assert PREFIX_OF(number) == carrier


@given(st.lists(st.text() | st.from_regex(r"\+[1-9][0-9]{4,14}", fullmatch=True)))
def test_many_prefixes_are_told_as_one_by_one(numbers: list[str]) -> None:
    many = PREFIX_OF.of_many(numbers)
    assert [many.get(i, "") for i in range(len(numbers))] == [PREFIX_OF(n) for n in numbers]
