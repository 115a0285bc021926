"""The shipped rules as tests read them: their names, queries and links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.grafana.reading import Asked

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/prometheus"
FILES = tuple(sorted(FOLDER.glob("*.rules.yaml")))
TIMELINES = tuple(sorted(FOLDER.glob("*_test.yaml")))
RULE = re.compile(r"^ +- (alert|record): (\S+)$", re.M)
EXPR = re.compile(r"^( +)expr: (?:\|2\n)?((?:.*\n)(?:\1 +.*\n|\n)*)", re.M)
LINK = re.compile(r"^ +runbook_url: (\S+)$", re.M)
RECORDED = re.compile(r"\w+:carrier_health_\w+:\w+")


class Rule(NamedTuple):
    """One alert or recording rule; `text` is all of it."""

    file: str
    kind: str
    name: str
    text: str

    @property
    def expr(self) -> str:
        found = EXPR.search(self.text + "\n")
        assert found is not None, self.name
        return found[2]

    @property
    def asked(self) -> Asked:
        return Asked(self.file, self.name, self.expr)


def _of_file(path: Path) -> Iterator[Rule]:
    text = path.read_text()
    heads = list(RULE.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    for head, end in zip(heads, ends, strict=True):
        without_comments = re.sub(r"^ *#.*\n", "", text[head.start() : end], flags=re.M)
        yield Rule(path.name, head[1], head[2], without_comments)


RULES = tuple(rule for path in FILES for rule in _of_file(path))
ALERTS = tuple(rule for rule in RULES if rule.kind == "alert")
ASKED = tuple(rule.asked for rule in RULES)
