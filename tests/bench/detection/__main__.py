"""`make bench-detection`: measures, prints what must hold and whether it does; exit 1 where it does not."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.bench.detection import plot, report, scenario, story
from tests.bench.detection.bars import Bar, bars
from tests.bench.detection.forms import FORMS
from tests.bench.detection.jobs import Results, run_all
from tests.bench.detection.scenario import Score
from tests.bench.detection.seeds import first_seed

PAGE = Path("docs/detection-benchmark.md")
PLOT = Path("docs/detection-benchmark.svg")
STORY = Path("docs/detection.svg")
STORY_SEED = 7
BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->"


def main() -> int:
    args = _arguments()
    seed, whence = (args.seed, "given") if args.seed is not None else first_seed()
    if args.write is not None:
        for one in scenario.all_scenarios():
            print(*scenario.write(one, seed, args.write))
        return 0
    if args.story:
        STORY.write_text(story.svg(story.play(STORY_SEED)))
        return 0
    form = FORMS["quick" if args.quick else args.form]
    _say(f"{form.name} form, seeds from {seed} on ({whence})")
    results = run_all(form, seed, whence, args.nab, _say)
    scores = _from_outside(seed)
    text = _text(results, scores)
    if args.out is not None:
        _keep(args.out, results, scores, text)
    if args.docs:
        _into_page(text)
        PLOT.write_text(plot.svg(results))
    rows = [*bars(results), _outside_bar(scores)]
    print("\n".join(report.bar_table(rows)))
    failed = [row for row in rows if row.holds is False]
    print(f"{len(failed)} of {len(rows)} rows fail; {results.seconds:.0f} s")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-detection ARGS=", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few minutes; too few weeks for some rows")
    parser.add_argument("--form", choices=list(FORMS), default="full")
    parser.add_argument("--seed", type=int, help="the first seed, instead of the one that the commit fixes")
    parser.add_argument("--out", type=Path, help="folder for results.json, results.md and delays.svg")
    parser.add_argument("--docs", action="store_true", help=f"writes the tables into {PAGE}")
    parser.add_argument("--write", type=Path, help="only writes scenarios, as folded lines with their truth")
    parser.add_argument("--story", action="store_true", help=f"only draws {STORY}, an outage as it is seen")
    parser.add_argument("--nab", type=Path, help="a checkout of numenta/NAB: its volumes as decoys")
    return parser.parse_args()


def _from_outside(seed: int) -> list[Score]:
    """Every scenario file through the command."""
    scores = []
    with tempfile.TemporaryDirectory() as folder:
        for one in scenario.all_scenarios():
            counts, truth = scenario.write(one, seed, Path(folder))
            scores.append(scenario.score(json.loads(truth.read_text()), scenario.replayed(counts)))
            _say(f"from outside: {scores[-1]}")
            counts.unlink()
    return scores


def _outside_bar(scores: Sequence[Score]) -> Bar:
    right = [s.name for s in scores if s.right]
    wrong = ", ".join(s.name for s in scores if not s.right) or "none wrong"
    figure = f"{len(right)} of {len(scores)} ({wrong})"
    return Bar("scenario files through replay --folded", "all", figure, len(right) == len(scores))


def _text(results: Results, scores: Sequence[Score]) -> str:
    head = f"Form {results.form}, seeds from {results.first_seed} on ({results.seeds_from})."
    parts = [head, ""]
    for title, lines in report.sections(results, scores):
        parts += [f"### {title}", "", *lines, ""]
    return "\n".join(parts)


def _keep(folder: Path, results: Results, scores: Sequence[Score], text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(report.summary(results, scores), indent=1) + "\n")
    (folder / "results.md").write_text(text)
    (folder / "delays.svg").write_text(plot.svg(results))


def _into_page(text: str) -> None:
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(before + BEGIN + text + END + rest.split(END)[1])


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
