"""docs/requirements.md: every requirement has its row, and every test that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
ROWS = re.findall(
    r"^\| (R\d+) \| (.+) \| (.+) \| (.+) \|$", (DOCS / "requirements.md").read_text(), re.MULTILINE
)
TESTS = [
    (name, text, path) for name, *_, tests in ROWS for text, path in re.findall(r"\[(.+?)\]\((.+?)\)", tests)
]


def test_each_of_the_thirteen_has_one_row_in_order_with_words_and_a_test() -> None:
    assert [name for name, *_ in ROWS] == [f"R{i}" for i in range(1, 14)]
    assert all(asked.strip() and met.strip() for _, asked, met, _ in ROWS)
    assert {name for name, *_ in TESTS} == {name for name, *_ in ROWS}


@pytest.mark.parametrize(("requirement", "name", "path"), TESTS)
def test_a_test_that_is_named_exists(requirement: str, name: str, path: str) -> None:
    file = (DOCS / path).resolve()
    assert file.is_file(), f"{requirement} names {path}"
    assert re.search(rf"^(async )?def {re.escape(name)}\(", file.read_text(), re.MULTILINE), (
        f"{requirement}: {name}"
    )
