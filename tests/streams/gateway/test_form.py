"""Forms: read as the standard library reads them, only faster; cut without touching the rest."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from hypothesis import given
from hypothesis import strategies as st

from streams.gateway.form import MOST_FIELDS, fields_of, is_plain, without

FORMS = st.one_of(
    st.text(), st.text("abAB=&+%2B0123456789\ud7ff"), st.lists(st.tuples(st.text(), st.text())).map(urlencode)
)


@given(FORMS)
def test_a_form_is_read_as_the_standard_library_reads_it(form: str) -> None:
    assert fields_of(form) == parse_qsl(form, keep_blank_values=True)


@given(FORMS)
def test_cutting_takes_the_named_fields_and_leaves_the_bytes_of_the_others(form: str) -> None:
    kept = without(form, {"ab", "body"})
    assert fields_of(kept) == [(n, v) for n, v in fields_of(form) if n.lower() not in ("ab", "body")]
    assert [p for p in kept.split("&") if p] == [
        p for p in form.split("&") if p and fields_of(p)[0][0].lower() not in ("ab", "body")
    ]


def test_a_field_is_cut_however_its_name_is_written() -> None:
    assert without("From=1&Body=hello&%42ody=hello&b%4fDY=x&To=2", {"body"}) == "From=1&To=2"


def test_a_form_of_a_provider_has_an_equals_sign_in_each_field_and_not_too_many_fields() -> None:
    assert is_plain("") and is_plain("a=&b=1") and is_plain("a=1&")
    assert not is_plain("a=1&b")
    assert is_plain("&".join(["a=1"] * MOST_FIELDS))
    assert not is_plain("&".join(["a=1"] * (MOST_FIELDS + 1)))
