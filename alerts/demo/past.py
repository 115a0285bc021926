"""What the demonstration's monitor knows before its first record: two weeks of the same network.

simulator -> folded counts -> learn -> detector-state
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from alerts.decide import DetectorState
from alerts.policy import Policy
from alerts.replay.folded import Bucket, Line
from alerts.replay.history import History
from alerts.replay.lay import Reader
from alerts.replay.publish import at_rest, publish
from alerts.settings import Settings
from streams.errors import MonitorError
from streams.networks import networks_of
from streams.simulate.parts import Scenario
from streams.simulate.past import BLOCK_S, past
from streams.simulate.scenario import sources_of

DAYS = 14
BLOCKS = DAYS * 86_400 // BLOCK_S


class Past:
    """Learns in a thread of its own, while servers start."""

    def __init__(self, scenario: Scenario, seed: int, now_ms: int) -> None:
        self._settings = Settings(sources=sources_of(scenario))
        self._work = (scenario, seed, self._settings, now_ms)
        self._state: DetectorState | None = None
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._learn, name="past", daemon=True)
        self._thread.start()

    def _learn(self) -> None:
        try:
            self._state = learned(*self._work)
        except Exception as e:
            self._failure = e

    def publish(self, settings: Settings) -> DetectorState:
        """Writes what was learned, once it is, where the alerts role finds it; and returns it.

        Raises what has ended the learning, or a MonitorError where Kafka does not take it."""
        self._thread.join()
        if self._state is None:
            raise self._failure or MonitorError("nothing was learned")
        publish(settings, self._state)
        return self._state


def learned(scenario: Scenario, seed: int, settings: Settings, now_ms: int) -> DetectorState:
    """What `carrier-health learn` would make of the 14 days before `now_ms`."""
    history = History(Policy.of(settings), settings.rules, Reader(settings.sources, settings.code_tables))
    for bucket in _buckets(scenario, seed, settings, now_ms):
        history.take(bucket)
    return at_rest(history.state)


def _buckets(scenario: Scenario, seed: int, settings: Settings, now_ms: int) -> Iterator[Bucket]:
    """Folded counts up to the last whole block before `now_ms`, by the stream's own hours."""
    names = networks_of(settings.carriers.file, settings.carriers.roll_up)
    end_s = now_ms // 1000 // BLOCK_S * BLOCK_S
    for second, counts in past(scenario, seed, BLOCKS):
        start_s = end_s + second
        lines = (
            Line(
                bucket_start_ms=start_s * 1000,
                bucket_s=BLOCK_S,
                carrier=names.id_of(c.carrier) or c.carrier,
                region=c.region,
                source=c.source,
                counts={"delivered": c.delivered, **c.failed},
            )
            for c in counts
        )
        yield Bucket(start_s, BLOCK_S, tuple(lines))
