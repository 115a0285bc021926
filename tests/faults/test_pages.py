"""Some cells of the matrix (`make test-faults` has all): one page each, none lost, whatever is killed."""

from __future__ import annotations

from pathlib import Path

from tests.faults.doomed import AFTER_POST, AFTER_RECORD
from tests.faults.matrix import complaints, played, table
from tests.faults.troubles import TROUBLES, Counted

SOME = {"none": AFTER_POST, "Redis emptied": AFTER_RECORD}


def test_a_page_comes_once_though_its_sender_is_killed_at_any_step(tmp_path: Path) -> None:
    found = played([(t, SOME[t.name]) for t in TROUBLES if t.name in SOME], tmp_path)
    print(table(found))
    assert len(found) == len(SOME)
    assert complaints(found) == []


def test_what_is_lost_woken_twice_or_stuck_is_complained_of() -> None:
    trouble = TROUBLES[0]
    for bad in (
        Counted(0, 1, 0, 3, 2),
        Counted(2, 0, 0, 3, 2),
        Counted(1, 1, 0, 3, 2),
        Counted(1, 0, 0, 3, 2, ("ended with trigger",)),
        Counted(1, 0, 0, 3, 1),
        "waited 90 s",
    ):
        assert len(complaints({(trouble, AFTER_POST): bad})) == 1
    assert complaints({(trouble, AFTER_POST): Counted(1, 0, 4, 9, 2)}) == []
    assert "did not end" in table({(trouble, AFTER_POST): "waited 90 s"})
