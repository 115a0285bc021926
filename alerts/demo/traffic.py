"""The traffic of a demonstration: what was asked for, and the simulator that plays it."""

from __future__ import annotations

import threading
from typing import NamedTuple

import msgspec

from alerts.demo.configuration import DemoClock
from alerts.demo.recording import Recording
from alerts.demo.stage import Stage
from streams.simulate.feed import Feeder, Pacer, Progress, Sink, feed
from streams.simulate.parts import Scenario
from streams.simulate.traffic import new_ledger, records
from streams.topics import OUTCOMES

ONCE_S = 360
"""`--once` gives up after so many seconds of traffic."""
CALM_S = 365 * 86_400
"""Traffic goes on for so long, calm after the last incident, when nobody says how long."""
SCALED_S = 12 * 3600
"""A scaled run that nobody ends reaches now after so long: its clock must not run into the future."""


class Options(NamedTuple):
    """What the command was asked for. `for_s` is seconds of traffic."""

    scenario: Scenario
    seed: int
    speed: float = 1.0
    for_s: float | None = None
    once: bool = False
    fault: str | None = None
    recording: Recording | None = None

    @property
    def span_s(self) -> float:
        """Seconds of traffic after which it ends at the latest."""
        if self.once:
            return min(ONCE_S, self.for_s or ONCE_S)
        return self.for_s or (CALM_S if self.speed == 1 else SCALED_S)


class Traffic:
    """The simulator, writing to the real topic in a thread of its own, as its clock runs."""

    def __init__(self, options: Options, clock: DemoClock, stage: Stage, start_ms: int) -> None:
        # Beyond the span, so that the stream never ends before the story does.
        duration_s = int(options.span_s) + 60
        self._scenario = msgspec.structs.replace(options.scenario, duration_s=duration_s)
        self._seed, self._start_ms, self._recording = options.seed, start_ms, options.recording
        self.ledger = new_ledger(self._scenario, start_ms, options.seed)
        self._pacer = Pacer(clock.now_ms, options.speed)
        self._kafka, self._topic = stage.addresses.kafka, stage.settings.topic(OUTCOMES)
        self._go = True
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._write, name="traffic", daemon=True)
        self.labels = self.ledger.incidents
        self.progress = Progress(0, start_ms)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._go = False
        if self._thread.is_alive():
            self._thread.join(5.0)

    def check(self) -> None:
        """Raises what has ended the traffic."""
        if self._failure is not None:
            raise self._failure

    def _write(self) -> None:
        try:
            emissions = records(self._scenario, self._seed, self._start_ms, self.ledger)
            feeder: Sink = Feeder(self._kafka, self._topic)
            if self._recording is not None:
                feeder = self._recording.beside(feeder)
            feed(emissions, feeder, self._pacer, self._note, 0.2, keep_going=lambda: self._go)
        except Exception as e:
            self._failure = e

    def _note(self, progress: Progress) -> None:
        self.progress = progress
        # Only labels and runs of failures are asked for here: a run without end must not grow.
        self.ledger.counts.clear()
        self.ledger.failed.clear()
