"""Two topics, one after the other by time: no delivery overtakes a failure before it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from alerts.recipients.order import HOLD_MS, InOrder

FAILED, DELIVERED = ("failed", 0), ("delivered", 0)
NOW_MS = 1_784_289_600_000


def test_a_record_waits_until_the_other_partition_has_been_read_so_far() -> None:
    order = InOrder([FAILED, DELIVERED])
    order.add(DELIVERED, 0, 20, b"d")
    assert order.take(NOW_MS, 9) == []
    order.add(FAILED, 0, 10, b"f")
    assert [i.value for i in order.take(NOW_MS, 9)] == [b"f"]
    order.add(FAILED, 1, 30, b"g")
    assert [i.value for i in order.take(NOW_MS, 9)] == [b"d"]
    assert len(order) == 1


def test_a_partition_at_its_end_holds_the_others_for_two_seconds_only() -> None:
    order = InOrder([FAILED, DELIVERED])
    order.ended(FAILED)
    order.add(DELIVERED, 0, NOW_MS, b"d")
    assert order.take(NOW_MS + HOLD_MS - 1, 9) == []
    assert [i.value for i in order.take(NOW_MS + HOLD_MS, 9)] == [b"d"]


@examples(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([FAILED, DELIVERED]), st.integers(0, 50)), max_size=30))
def test_all_comes_out_in_order_of_time_and_offset(records: list[tuple[tuple[str, int], int]]) -> None:
    order, taken = InOrder([FAILED, DELIVERED]), []
    for offset, (key, at_ms) in enumerate(records):
        order.add(key, offset, at_ms, b"")
        taken += order.take(NOW_MS, 3)
    order.ended(FAILED)
    order.ended(DELIVERED)
    taken += order.take(NOW_MS, 99)
    assert [i.at_ms for i in taken] == sorted(i.at_ms for i in taken)
    for key in (FAILED, DELIVERED):
        assert [i.offset for i in taken if i.key == key] == [
            n for n, (k, _) in enumerate(records) if k == key
        ]
        assert order.of_key[key] == 0
