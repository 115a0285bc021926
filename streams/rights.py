"""What each role must be allowed to do at Kafka, no more: checks and documentation are made from it.

READ and WRITE on a topic bring DESCRIBE with them. A role looks at its rights before it begins, so that
a missing one is named, and not met in the middle of the work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from streams.settings import Settings
from streams.topics import (
    DEAD_LETTERS,
    DELIVERED_RECIPIENTS,
    FAILED_RECIPIENTS,
    INCIDENTS,
    OUTCOMES,
    PARTIALS,
    WINDOWS,
)

READ, WRITE = "READ", "WRITE"
PACE_SUFFIX = "-pace"
"""Of the group by which ingest looks at how far the others are; it commits nothing."""


class Rights(NamedTuple):
    """Full names of topics and groups. `transactional_ids` is how all of them begin, '' for none."""

    role: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    transactional_ids: str = ""

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.reads, *self.writes)))

    def lacking(self, allowed: Mapping[str, Iterable[str] | None]) -> list[str]:
        """`READ on topic X` for each right that is not there.

        `allowed` are the operations by topic, None where the broker does not say.
        """
        wanted = [(READ, topic) for topic in self.reads] + [(WRITE, topic) for topic in self.writes]
        has = {topic: None if found is None else set(found) for topic, found in allowed.items()}
        return [
            f"{what} on topic {t}"
            for what, t in wanted
            if (found := has.get(t)) is not None and what not in found
        ]


def sources(settings: Settings) -> tuple[str, ...]:
    """`outcomes`, and the topics that sources are bound to."""
    return (settings.topic(OUTCOMES), *(s.topic for s in settings.sources if s.topic))


def of_ingest(settings: Settings) -> Rights:
    group = settings.ingest.group
    return Rights(
        "ingest",
        reads=(*sources(settings), settings.topic(WINDOWS)),
        writes=tuple(
            settings.topic(t) for t in (PARTIALS, FAILED_RECIPIENTS, DELIVERED_RECIPIENTS, DEAD_LETTERS)
        ),
        groups=(group, group + PACE_SUFFIX),
        transactional_ids=f"{group}-",
    )


def of_windows(settings: Settings) -> Rights:
    return Rights(
        "windows",
        reads=tuple(settings.topic(t) for t in (PARTIALS, WINDOWS, INCIDENTS)),
        writes=(settings.topic(WINDOWS),),
        groups=(settings.windows.group,),
    )
