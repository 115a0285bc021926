"""Sessions, form tokens and how often one may guess."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alerts.pages.attempts import MOST_ADDRESSES, MOST_WRONG, WITHIN_S, Attempts
from alerts.pages.session import MOST_CHARACTERS, Session, form_token, key_of, opened, same, sealed

KEY, OTHER = key_of(b"token", "session"), key_of(b"another", "session")
NOW_MS = 1_700_000_000_000
LATER_MS = NOW_MS + 1
names = st.text(st.characters(exclude_categories=("Cs",)), max_size=100)


@given(names, st.text("0123456789abcdef", min_size=16, max_size=16))
def test_a_session_is_read_again_with_its_key_alone(name: str, nonce: str) -> None:
    made = Session(name, LATER_MS, nonce)
    value = sealed(made, KEY)
    assert opened(value, KEY, NOW_MS) == made
    assert opened(value, OTHER, NOW_MS) is None
    assert value.isascii() and not set(value) & set(' ",;\\'), "a cookie holds it as it is"


@given(st.text(max_size=200))
def test_no_cookie_that_somebody_makes_up_opens_anything(value: str) -> None:
    assert opened(value, KEY, NOW_MS) is None


@given(st.integers(0, 10_000), st.characters())
def test_a_session_of_which_one_character_differs_is_none(at: int, other: str) -> None:
    value = sealed(Session("ann", LATER_MS, "n"), KEY)
    at %= len(value)
    if value[at] != other:
        assert opened(value[:at] + other + value[at + 1 :], KEY, NOW_MS) is None


def test_a_session_ends() -> None:
    value = sealed(Session("ann", LATER_MS, "n"), KEY)
    assert opened(value, KEY, LATER_MS - 1) and opened(value, KEY, LATER_MS) is None
    assert len(value) < MOST_CHARACTERS and opened(value + " " * MOST_CHARACTERS, KEY, NOW_MS) is None


def test_a_form_token_is_of_one_session_and_is_no_session() -> None:
    first, second = (sealed(Session("ann", LATER_MS, n), KEY) for n in "ab")
    assert form_token(KEY, first) != form_token(KEY, second)
    assert form_token(key_of(b"token", "form"), first) != first.rpartition(".")[2]


@given(names, names)
def test_what_is_the_same_is_the_same(one: str, another: str) -> None:
    assert same(one, another) is (one == another)


def test_who_is_wrong_too_often_waits() -> None:
    attempts = Attempts()
    for i in range(MOST_WRONG):
        assert attempts.wait_s("a", 100.0 + i) == 0
        attempts.wrong("a", 100.0 + i)
    assert attempts.wait_s("a", 110.0) == WITHIN_S - 10
    assert attempts.wait_s("b", 110.0) == 0
    assert attempts.wait_s("a", 100.0 + WITHIN_S) == 0


def test_the_addresses_that_are_kept_are_few() -> None:
    attempts = Attempts()
    for i in range(MOST_ADDRESSES + 5):
        for _ in range(MOST_WRONG):
            attempts.wrong(str(i), 100.0)
    assert attempts.wait_s("4", 100.0) == 0 and attempts.wait_s("5", 100.0) > 0
