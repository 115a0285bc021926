"""A review as Markdown, one-file HTML, JSON or CSV. Pure.

Every value that a template shows is escaped unless it is markup made here: HTML by Jinja's own escaping,
Markdown by `escape.markdown`. The HTML holds its style and its plots, no script, and asks no network.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from markupsafe import Markup

from alerts import markup, wording
from alerts.review import escape, plots, telling
from alerts.review.digest import Digest
from alerts.review.report import Review
from alerts.review.series import Series

HTML = markup.environment("alerts.review", keep_trailing_newline=True)
MARKDOWN = markup.environment(
    "alerts.review", autoescape=False, finalize=escape.markdown, keep_trailing_newline=True
)
for _environment in (HTML, MARKDOWN):
    _environment.filters["precise"] = telling.precise
    _environment.globals |= {"telling": telling}
MARKDOWN.filters["code"] = escape.code

CHART_STYLE = HTML.get_template("chart.css").render()
"""Of plots alone, for other pages. They bring the colours ink, quiet, line, bad, warn, cool and band."""
STYLE = HTML.get_template("report.css").render()
POLICY = markup.policy(STYLE, "none")
"""What a browser may do with the file: show it, and nothing else."""

COLUMNS = ("incident", "rule", "carrier", "region", "group", "time_utc", "step_s")
COUNTS = ("outcomes", "failed", "failure_ratio")


def markdown(review: Review) -> str:
    return MARKDOWN.get_template("report.md").render(review=review)


def html(review: Review) -> str:
    shown = {"style": Markup(STYLE), "policy": POLICY, "figures": figures(review)}
    return HTML.get_template("report.html").render(review=review, **shown)


def figures(review: Review) -> list[Markup]:
    """Its charts as SVG with their captions, to stand within HTML."""
    figure = HTML.get_template("figure.html")
    return [Markup(figure.render(chart=chart).strip()) for chart in plots.charts(review)]


def json(review: Review) -> str:
    """As in docs/review.schema.json, indented."""
    return _indented(review)


def csv_table(review: Review) -> str:
    """The series of the best evidence, one step of one group a line; empty but for its head without any."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*COLUMNS, *COUNTS])
    best, head = review.best, review.head
    for group, series in best.series.items() if best else ():
        named = (head.key, head.rule, head.carrier, head.region, group)
        for row in _rows(series):
            writer.writerow([*map(escape.csv_cell, named), *row])
    return out.getvalue()


def _rows(series: Series) -> list[tuple[object, ...]]:
    """A step without outcomes has no ratio: an empty cell."""
    return [
        (
            wording.iso((series.start_s + i * series.step_s) * 1000),
            series.step_s,
            outcomes,
            failed,
            round(failed / outcomes, 6) if outcomes else "",
        )
        for i, (outcomes, failed) in enumerate(zip(series.outcomes, series.failed, strict=True))
    ]


FORMATS: Mapping[str, Callable[[Review], str]] = {
    "md": markdown,
    "html": html,
    "json": json,
    "csv": csv_table,
}


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the JSON report."""
    return msgspec.json.schema(Review)


def digest_markdown(digest: Digest, display: Callable[[str], str] = str) -> str:
    return MARKDOWN.get_template("digest.md").render(digest=digest, display=display)


def digest_json(digest: Digest) -> str:
    return _indented(digest)


def _indented(made: Review | Digest) -> str:
    return msgspec.json.format(msgspec.json.encode(made), indent=2).decode() + "\n"
