"""Which incidents of the list are shown: a form of plain parameters, a page of so many rows. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from alerts.pages.view import ordered, what
from alerts.records import Incident, Severity, State, is_live

ROWS = 100
STATES = ("open", "resolved", "acknowledged", "silenced", "without verdict")
SEVERITIES = tuple(severity.value for severity in Severity)
MOST_TEXT = 100


class Filter(NamedTuple):
    """What is asked for; '' is everything. `text` is sought in key, rule, carrier and region."""

    state: str = ""
    severity: str = ""
    text: str = ""
    page: int = 1

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Filter:
        """Of the parameters of a URL; what is no choice is everything."""
        state, severity, page = (query.get(name, "") for name in ("state", "severity", "page"))
        return cls(
            state if state in STATES else "",
            severity if severity in SEVERITIES else "",
            query.get("text", "").strip()[:MOST_TEXT],
            int(page) if page.isascii() and page.isdecimal() and len(page) < 6 and int(page) else 1,
        )

    def url(self, page: int) -> str:
        """The list with this filter at another page."""
        asked = {name: value for name, value in self._replace(page=page)._asdict().items() if value}
        return f"/incidents?{urlencode(asked)}"


class Shown(NamedTuple):
    """One page of the list."""

    incidents: Sequence[Incident]
    filter: Filter
    matching: int
    known: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.matching // ROWS))


def shown(incidents: tuple[Incident, ...], asked: Filter, display: Callable[[str], str]) -> Shown:
    """The page that is asked for, or the last there is; open ones first, then the newest."""
    matching = [i for i in incidents if _matches(i, asked, display)]
    page = min(asked.page, max(1, -(-len(matching) // ROWS)))
    rows = ordered(tuple(matching))[(page - 1) * ROWS : page * ROWS]
    return Shown(rows, asked._replace(page=page), len(matching), len(incidents))


def _matches(incident: Incident, asked: Filter, display: Callable[[str], str]) -> bool:
    if asked.severity and incident.severity != asked.severity:
        return False
    if asked.state and not _in_state(incident, asked.state):
        return False
    if not asked.text:
        return True
    said = f"{incident.key} {what(incident, display)}".casefold()
    return all(word in said for word in asked.text.casefold().split())


def _in_state(incident: Incident, state: str) -> bool:
    people = incident.people
    match state:
        case "open":
            return is_live(incident)
        case "resolved":
            return incident.state is State.RESOLVED
        case "acknowledged":
            return people.acknowledged_ms > 0
        case "silenced":
            return people.silence is not None
        case _:
            return bool(incident.wakes) and not people.verdict
