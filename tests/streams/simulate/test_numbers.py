"""Made-up numbers lie in their region by prefix, and belong to nobody."""

import phonenumbers
import pytest

from streams.simulate.numbers import country_of, numbers_of, regions


@pytest.mark.parametrize("region", regions())
def test_the_prefix_of_every_number_tells_its_country(region: str) -> None:
    numbers = numbers_of(region)
    some = [*numbers[:: max(1, len(numbers) // 200)].tolist(), int(numbers[-1])]
    found = {phonenumbers.region_code_for_number(phonenumbers.parse(f"+{n}")) for n in some}
    assert found == {country_of(region)}


@pytest.mark.parametrize("region", [r for r in regions() if r[:2] in ("US", "CA")])
def test_north_american_numbers_are_those_kept_for_fiction(region: str) -> None:
    assert all(str(n)[4:9] == "55501" and len(str(n)) == 11 for n in numbers_of(region).tolist())


@pytest.mark.parametrize("region", regions())
def test_no_number_comes_twice(region: str) -> None:
    numbers = numbers_of(region).tolist()
    assert len(set(numbers)) == len(numbers)
