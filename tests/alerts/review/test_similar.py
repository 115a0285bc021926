"""Which incidents are alike, why, and how often one has come back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alerts.records import Incident, People
from alerts.review.similar import DAY_S, MOST, cosine, mix_of, recurrence, similar
from tests.alerts.review.journal import incident

DAY = DAY_S
THIS = incident()


def other(days: float, **changes: object) -> Incident:
    opened_s = int(THIS.opened_bucket_s - days * DAY)
    fields = {
        "key": f"ch:{days}:{sorted(changes)}",
        "opened_bucket_s": opened_s,
        "resolved_bucket_s": opened_s + 1400,
    }
    return incident(**(fields | changes))


def test_the_same_carrier_at_the_same_time_of_day_is_most_alike_and_says_so() -> None:
    twin = other(7, people=People(verdict="useful"))
    cousin = other(3, region="US-CA", scope="pair")
    found = similar(THIS, [cousin, twin, THIS])
    assert [one.key for one in found] == [twin.key, cousin.key]
    assert found[0].likeness > 0.95 and found[0].verdict == "useful"
    assert found[0].because[0] == "same carrier (310-260)"
    assert "same time of day (about 22:00 UTC)" in found[0].because
    assert any(reason.startswith("lasted 23 min") for reason in found[0].because)
    assert "same region (US-CA)" not in found[1].because


def test_another_rule_or_carrier_is_never_alike_nor_is_what_came_later() -> None:
    strangers = [other(1, rule="x"), other(1, carrier="311-480"), other(-1)]
    assert similar(THIS, strangers) == ()


def test_the_code_mix_counts_where_both_are_known() -> None:
    near, far = other(1, key="near"), other(1, key="far")
    mixes = {THIS.key: {"30003": 90, "30005": 10}, "near": {"30003": 50, "30005": 5}, "far": {"30008": 7}}
    found = similar(THIS, [near, far], mixes)
    assert [one.key for one in found] == ["near", "far"]
    assert "code mix 1.00 alike" in found[0].because
    assert not any("code mix" in reason for reason in found[1].because)


def test_there_are_few_of_them() -> None:
    assert len(similar(THIS, [other(d) for d in range(1, 40)])) == MOST


def test_recurrence_counts_the_same_scope_over_7_30_and_90_days() -> None:
    known = [other(d) for d in (1, 6.9, 8, 29, 31, 89, 91)] + [other(2, carrier="311-480"), other(-1), THIS]
    assert [(r.days, r.incidents) for r in recurrence(THIS, known)] == [(7, 2), (30, 4), (90, 6)]


MIX = st.dictionaries(st.sampled_from("abc"), st.integers(0, 1000))


@given(MIX, MIX)
def test_the_cosine_is_a_share_and_has_no_sides(a: dict[str, int], b: dict[str, int]) -> None:
    assert -1e-9 <= cosine(a, b) <= 1 + 1e-9
    assert abs(cosine(a, b) - cosine(b, a)) < 1e-9


def test_one_code_of_two_sources_is_one_code() -> None:
    assert mix_of([("1", 2), ("1", 3), ("2", 1)]) == {"1": 5, "2": 1}
