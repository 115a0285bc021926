"""What the documentation says and a test can check, a test checks.

With UPDATE_DOCS=1 the made parts are written anew instead.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import pytest

from alerts.recipients import log as recipients_log
from alerts.rights import of_alerts
from alerts.settings import PagerDuty, Pages, Settings, StatusPage, Team
from streams import rights
from streams.gateway import doors
from streams.metrics_doc import page
from streams.records import Reason, Result
from streams.settings import CodeTable, Rule, Secret, Section, Source
from streams.topics import DAY_MS, TOPICS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
UPDATE = bool(os.environ.get("UPDATE_DOCS"))
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]


def test_metrics_are_as_in_the_code() -> None:
    expect(DOCS / "metrics.md", page())


def test_topics_are_as_in_the_code() -> None:
    path = DOCS / "topics.md"
    text = path.read_text()
    before, rest = text.split(BEGIN)
    expect(path, before + BEGIN + topic_table() + END + rest.split(END)[1])


def test_rights_are_as_in_the_code() -> None:
    path = DOCS / "topics.md"
    before, rest = path.read_text().split("<!-- rights: begin -->\n")
    after = rest.split("<!-- rights: end -->")[1]
    expect(path, f"{before}<!-- rights: begin -->\n{rights_table()}<!-- rights: end -->{after}")


def rights_table() -> str:
    """Of every role with all that it can be told to do."""
    webhook = PagerDuty(webhook_secret=Secret("s"))
    twilio = Source(name="twilio", format="canonical", bearer_token=Secret("t"))
    settings = Settings(pagerduty=webhook, sources=(twilio,), pages=Pages(token=Secret("t")))
    of_roles = (doors.rights(settings), rights.of_ingest(settings), rights.of_windows(settings))
    rows = ["| role | READ on topics | WRITE on topics | READ on groups | WRITE on transactional ids |"]
    rows.append("|---|---|---|---|---|")
    for found in (*of_roles, of_alerts(settings), recipients_log.rights(settings)):
        begins = f"that begin with `{found.transactional_ids}`" if found.transactional_ids else "–"
        cells = [in_ticks(found.reads), in_ticks(found.writes), in_ticks(found.groups), begins]
        rows.append(f"| {found.role} | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def in_ticks(names: Iterable[str]) -> str:
    return ", ".join(f"`{name.removeprefix('carrier-health.')}`" for name in names) or "–"


def expect(path: Path, wanted: str) -> None:
    if UPDATE:
        path.write_text(wanted)
    assert path.read_text() == wanted, f"{path.name} is old: UPDATE_DOCS=1 make test ARGS=tests/test_docs.py"


def topic_table() -> str:
    rows = ["| topic | partitions | key | value | written by | kept |", "|---|---|---|---|---|---|"]
    for t in TOPICS:
        kept = "newest by key" if t.retention_ms is None else f"{t.retention_ms // DAY_MS} d"
        key = "–" if t.key == "-" else t.key
        rows.append(f"| `{t.name}` | {t.partitions} | {key} | {t.value} | {t.writer} | {kept} |")
    return "\n".join(rows) + "\n"


def test_settings_are_as_in_the_code() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (\S+) \| (.+) \|$", (DOCS / "settings.md").read_text(), re.M)
    assert {key: default for key, default, _ in rows} == dict(settings())
    assert all(meaning.strip() for _, _, meaning in rows)


def settings() -> Iterator[tuple[str, str]]:
    for field in msgspec.structs.fields(Settings):
        if isinstance(field.type, type) and issubclass(field.type, Section):
            yield from keys(f"{field.name}.", field.type)
    yield from keys("sources[].", Source)
    yield from keys("code_tables[].", CodeTable)
    yield from keys("rules[].", Rule)
    yield from keys("status_pages[].", StatusPage)
    yield from keys("teams[].", Team)


def keys(prefix: str, section: type[Section]) -> Iterator[tuple[str, str]]:
    for field in msgspec.structs.fields(section):
        default = field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        yield prefix + field.name, in_words(default)


def in_words(default: Any) -> str:
    if default is msgspec.NODEFAULT:
        return "required"
    if default == () or default == []:
        return "`[]`"
    return "–" if default in ("", Secret("")) else f"`{default}`"


def test_each_runtime_dependency_has_its_reason_and_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {name(d) for d in [*project["dependencies"], *project["optional-dependencies"]["demo"]]}
    text = (DOCS / "adr/0003-dependencies.md").read_text()
    rows = {cells[0]: cells for cells in table_rows(text)}
    assert rows.keys() == wanted
    for package in wanted:
        licence = metadata.metadata(package).get("License-Expression")
        assert licence is None or licence in rows[package], package


def name(requirement: str) -> str:
    return re.split(r"[<>=!~\[ ]", requirement)[0]


def table_rows(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith("| package"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def test_the_runbook_knows_every_reason_of_a_dead_letter() -> None:
    text = (DOCS / "runbook.md").read_text()
    assert [r for r in Reason if f"`{r}`" not in text] == []


def test_the_balance_is_written_in_the_order_of_the_code() -> None:
    flat = " ".join((DOCS / "architecture.md").read_text().split())
    assert "received = " + " + ".join(Result) in flat


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text())
    local = [t for t in targets if not t.startswith(("http:", "https:"))]
    assert [t for t in local if not (path.parent / t).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_that_are_named_exist(path: Path) -> None:
    named = re.findall(r"`((?:streams|alerts|docs|tests|deploy)/[\w/.@-]+)`", path.read_text())
    assert [f for f in named if not (ROOT / f).exists()] == []


def test_metrics_that_are_named_exist() -> None:
    known = re.findall(r"`carrier_health_(\w+)`", page())
    for path in PAGES:
        named = re.findall(r"`carrier_health_(\w+)", path.read_text())
        assert [m for m in named if m not in known] == [], path.name
