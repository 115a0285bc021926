"""Numbers are hashed with a key, or masked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import ConfigError
from streams.privacy import DEMO_KEY, RecipientHasher, canonical, mask
from streams.settings import Secret
from streams.siphash import SipKey, siphash, siphash_one

HASHER = RecipientHasher(Secret("k" * 32))


@pytest.mark.parametrize(
    "spelling",
    [
        "+15550000001",
        "whatsapp:+15550000001",
        "+1 555-000-0001",
        "0015550000001",
        "15550000001",
        "+1 (555) 000.0001",
    ],
)
def test_one_number_has_one_hash_however_it_is_written(spelling: str) -> None:
    assert HASHER(spelling) == HASHER("+15550000001")


def test_the_hash_is_64_bits_and_16_digits_of_the_same() -> None:
    assert 0 <= HASHER("+15550000001") < 2**64
    assert HASHER.hex("+15550000001") == f"{HASHER('+15550000001'):016x}"


@given(
    st.lists(
        st.one_of(
            st.text(max_size=24),
            st.from_regex(r"\+?[0-9]{1,19}", fullmatch=True),
            st.from_regex(r"(whatsapp:|00|\+|\+0)?[0-9 ()-]{9,20}", fullmatch=True),
            st.sampled_from(["+15550000001\0", "\0+15550000001", "++15550000001", "1_5550000001", ""]),
        )
    )
)
def test_many_numbers_at_a_time_have_the_hashes_that_each_has_alone(numbers: list[str]) -> None:
    assert HASHER.many(numbers).tolist() == [HASHER(n) for n in numbers]


@given(st.lists(st.integers(10**11, 10**12 - 1), min_size=1), st.booleans(), st.integers(0, 9))
def test_numbers_that_are_written_alike_have_the_hashes_that_each_has_alone(
    values: list[int], signed: bool, odd: int
) -> None:
    numbers = [f"+{value}" if signed else f"{value}" for value in values]
    assert HASHER.many(numbers).tolist() == [HASHER(n) for n in numbers]
    mixed = [*numbers, numbers[0][:-1] + "x", numbers[0][1:], "+" * odd + numbers[0]]
    assert HASHER.many(mixed).tolist() == [HASHER(n) for n in mixed]


def test_the_hash_of_a_word_is_that_of_the_reference_implementation_of_siphash() -> None:
    key = SipKey.of(bytes(range(16)))
    word = np.array([int.from_bytes(bytes(range(8)), "little")], np.uint64)
    assert siphash(key, word).tolist() == [siphash_one(key, int(word[0]))] == [0x93F5F5799A932462]


def test_another_key_is_another_hash() -> None:
    assert RecipientHasher(DEMO_KEY)("+15550000001") != HASHER("+15550000001")


def test_a_key_has_an_id_of_its_own_that_is_no_hash_of_a_number() -> None:
    other = RecipientHasher(Secret("k" * 31 + "l"))
    assert HASHER.key_id == RecipientHasher(Secret("k" * 32)).key_id != other.key_id
    assert len(HASHER.key_id) == 8 and int(HASHER.key_id, 16) >= 0
    assert HASHER.hex("carrier-health recipient key 2")[:8] != HASHER.key_id
    assert "k" * 8 not in HASHER.key_id


def test_a_key_may_be_long() -> None:
    long = RecipientHasher(Secret("k" * 200))
    assert long("+15550000001") not in (
        HASHER("+15550000001"),
        RecipientHasher(Secret("k" * 199))("+15550000001"),
    )


def test_an_empty_key_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"privacy\.recipient_key"):
        RecipientHasher(Secret(""))


def test_different_numbers_differ_and_anything_can_be_hashed() -> None:
    assert len({HASHER(n) for n in ("+15550000001", "+15550000002", "12345", "BANK", "", "\ud800", "é")}) == 7


def test_short_codes_and_national_numbers_stay_as_they_are() -> None:
    assert [canonical(n) for n in ("12345", "5550000001", "BANK")] == ["12345", "5550000001", "bank"]


@pytest.mark.parametrize(
    "number, shown",
    [
        ("+14155552671", "+1415•••2671"),
        ("whatsapp:+14155552671", "+1415•••2671"),
        ("+447700900123", "+4477•••0123"),
        ("15550000001", "+1555•••0001"),
        ("+3161234567", "+316•••4567"),
        ("5550000001", "555•••0001"),
        ("555000001", "•••••••••"),
        ("12345", "•••••"),
        ("", ""),
    ],
)
def test_a_mask_shows_the_ends(number: str, shown: str) -> None:
    assert mask(number) == shown
