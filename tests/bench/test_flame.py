"""The tree of samples, of stacks by hand."""

from __future__ import annotations

import pytest

from tests.bench.flame import lines, tree

STACKS = [
    "main (cli.py:3);Ingest._loop (ingest.py:90);Ingest._read (ingest.py:101);Intake.take (intake.py:5) 60",
    "main (cli.py:3);Ingest._loop (ingest.py:92);Ingest._read (ingest.py:108) 20",
    "main (cli.py:9);Ingest._loop (ingest.py:95);Ingest._flush (ingest.py:140) 10",
    "main (cli.py:9);Ingest._loop (ingest.py:95);Ingest._flush (ingest.py:141);rare (x.py:1) 1",
    "main (cli.py:1);imports (cli.py:1) 9",
]


def test_lines_of_one_function_are_added_up_and_the_rest_is_one_line() -> None:
    assert list(lines(tree(STACKS), 0.02)) == [
        " 91.0 Ingest._loop (ingest.py)",
        " 80.0   Ingest._read (ingest.py)",
        " 60.0     Intake.take (intake.py)",
        " 11.0   Ingest._flush (ingest.py)",
        "  9.0 start, end and other threads",
    ]


def test_every_sample_is_in_the_tree() -> None:
    root = tree(STACKS)
    assert root.samples == 100 == sum(child.samples for child in root.calls.values())


def test_a_line_without_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        tree(["main (cli.py:3) many"])
