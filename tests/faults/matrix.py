"""`make test-faults`: every fault of the pager and of Redis, and a SIGKILL at every step of sending.

Prints, for each, how many pages woke somebody, were lost, and were repeated without waking anybody.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from streams.embedded import EmbeddedKafka, EmbeddedValkey
from tests.faults.doomed import AFTER_POST, AFTER_RECORD, BEFORE_POST, NEVER
from tests.faults.pages import Cell
from tests.faults.troubles import TROUBLES, Counted, Trouble

AT_ONCE = 6
COLUMNS = {
    NEVER: "no kill",
    BEFORE_POST: "kill before the POST",
    AFTER_POST: "kill before the record",
    AFTER_RECORD: "kill after the record",
}
GOOD = "nobody woken twice, nothing lost but where the pager refuses for good"
Place = tuple[Trouble, str]


def played(places: Sequence[Place], directory: Path, at_once: int = AT_ONCE) -> dict[Place, Counted | str]:
    """The cells by place, each on its own topics of one Kafka; a string where one did not end."""
    with (
        EmbeddedKafka(jvm_options=("-Xmx1g", "-XX:+UseSerialGC")) as kafka,
        EmbeddedValkey() as valkey,
        ThreadPoolExecutor(at_once) as pool,
    ):
        longest_first = sorted(places, key=lambda place: -(place[0].for_s or 0.0))

        def play(place: Place) -> Counted | str:
            trouble, step = place
            began_s = time.monotonic()
            try:
                found: Counted | str = Cell(
                    kafka.bootstrap_servers, valkey.url, directory, trouble, step
                ).run()
            except AssertionError as e:
                found = str(e)
            shown = found if isinstance(found, Counted) else "did not end"
            print(
                f"  {trouble.name}, {COLUMNS[step]}: {shown} ({time.monotonic() - began_s:.0f} s)", flush=True
            )
            return found

        return dict(zip(longest_first, pool.map(play, longest_first), strict=True))


def table(found: dict[Place, Counted | str]) -> str:
    """Fault by step: woken / lost / repeated."""
    width = max(len(t.name) for t in TROUBLES) + 2
    widths = [max(len(title), 12) + 2 for title in COLUMNS.values()]
    head = " " * width + "".join(t.ljust(w) for t, w in zip(COLUMNS.values(), widths, strict=True))
    lines = [
        "sent / lost / repeated: people woken, pages that never came or ended, lines in an open alert",
        head,
    ]
    for trouble in TROUBLES:
        texts = [_text(trouble, found.get((trouble, step))) for step in COLUMNS]
        lines.append(
            trouble.name.ljust(width) + "".join(t.ljust(w) for t, w in zip(texts, widths, strict=True))
        )
    return "\n".join(line.rstrip() for line in lines)


def _text(trouble: Trouble, found: Counted | str | None) -> str:
    if found is None:
        return "-"
    return (
        "did not end" if isinstance(found, str) else str(found) + ("" if trouble.well(found) else "  WRONG")
    )


def complaints(found: dict[Place, Counted | str]) -> list[str]:
    """What does not hold: what must come of the fault, and each kill really came, once for each action."""
    said = []
    for (trouble, step), counted in found.items():
        where = f"{trouble.name}, {COLUMNS[step]}"
        if isinstance(counted, str):
            said.append(f"{where}: {counted}")
        elif not trouble.well(counted):
            said.append(f"{where}: {counted}, {'; '.join(counted.wrong)}")
        elif counted.kills != trouble.kills(step):
            said.append(f"{where}: {counted.kills} kills")
    return said


def main(only: Sequence[str]) -> int:
    """`only`: names of faults to try, all without."""
    places = [(t, step) for t in TROUBLES for step in t.steps if not only or t.name in only]
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="carrier-health-matrix-") as directory:
        found = played(places, Path(directory))
    print(f"\n{table(found)}\n\n{len(found)} cells in {time.monotonic() - began_s:.0f} s")
    wrong = complaints(found)
    print(
        "\n".join(wrong)
        or "each fault came to what it must: no page twice, none lost but where the pager refuses for good",
        flush=True,
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
