"""Plays a scenario through the running monitor and tells what becomes of it.

simulator -> outcomes -> ingest -> windows -> alerts -> receiver
     |                                          |          |
   ledger ----------------> story <-------------+----------+
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from alerts.demo.configuration import DemoClock, clock_of
from alerts.demo.events import Teller
from alerts.demo.faults import AFTER_ONSET_S, FAULTS, PAGER_DOWN, PAGER_DOWN_S, PAGER_DOWN_STATUS
from alerts.demo.hygiene import compared
from alerts.demo.past import Past
from alerts.demo.proof import Proof
from alerts.demo.stage import Stage, wall_ms
from alerts.demo.story import Story
from alerts.demo.traffic import Options, Traffic
from alerts.demo.watch import FlagWatch, IncidentWatch, PageWatch, ReadyWatch
from alerts.supervise import ROLES, Note, What
from streams.errors import MonitorError
from streams.simulate import scenario as scenarios

START_SLACK_S = 60.0
"""Wall time that starting may take, and still event time ends at now."""
READY_CAP_S = 60.0
PATIENCE_S = 8.0
"""Traffic does not wait longer for roles that only stand behind ingest: its records stay in Kafka."""
TICK_S = 0.05
LOOK_EVERY_S = 0.5
RATE_EVERY_S = 10.0


class Outcome(NamedTuple):
    ok: bool
    reason: str


def play(options: Options, teller: Teller) -> Outcome:
    """Runs the demonstration to its end. KeyboardInterrupt ends it early, and all is cleared away."""
    began_s = time.monotonic()
    clock = clock_of(options.speed, options.span_s + START_SLACK_S * options.speed, wall_ms())

    def progress(part: str, state: str) -> None:
        wall_s = round(time.monotonic() - began_s, 2)
        teller({"event": "progress", "at_ms": clock.now_ms(), "part": part, "state": state, "wall_s": wall_s})

    progress("history", "starting")
    past = Past(options.scenario, options.seed, clock.now_ms())
    with Stage(scenarios.sources_of(options.scenario), clock, progress) as stage:
        known = past.publish(stage.settings)
        if options.recording is not None:
            options.recording.begin(stage.settings.sources, known)
        progress("history", "ready")
        return Play(options, teller, clock, stage, began_s).run(progress)


class Play:
    """One run on a stage that is set."""

    def __init__(
        self, options: Options, teller: Teller, clock: DemoClock, stage: Stage, began_s: float
    ) -> None:
        self._options, self._teller, self._clock, self._stage = options, teller, clock, stage
        self._began_s = began_s
        self._story = Story(teller, clock, stage.settings, Proof(()))
        self._ready = ReadyWatch({role: stage.addresses.role(role) for role in ROLES})
        self._flags = FlagWatch(stage.addresses.role("alerts"))
        self._pages = PageWatch(stage.receiver)
        self._look_s = 0.0
        self._faulted = options.fault is None
        self._pager_back_s: float | None = None

    def run(self, progress: Callable[[str, str], None]) -> Outcome:
        self._incidents = IncidentWatch(self._stage.settings)
        try:
            self._supervisor = self._stage.start_roles(self._note)
            self._wait_until_ready(progress)
            return self._stream()
        finally:
            self._incidents.close()

    def _wait_until_ready(self, progress: Callable[[str, str], None]) -> None:
        began_s = time.monotonic()
        while True:
            self._supervise()
            for role in self._ready.look():
                progress(role, "ready")
            waiting, waited_s = self._ready.waiting, time.monotonic() - began_s
            if not waiting or (waited_s > PATIENCE_S and "ingest" not in waiting):
                return
            if waited_s > READY_CAP_S:
                raise MonitorError(self._excuse(f"not ready after {READY_CAP_S:g} s", waiting))
            time.sleep(TICK_S)

    def _supervise(self) -> None:
        self._supervisor.tick()
        if self._supervisor.refused:
            raise MonitorError(self._excuse("refused its configuration", [self._supervisor.refused]))

    def _note(self, note: Note) -> None:
        by_itself = note.what is What.ENDED and (note.exit_code or 0) > 0
        self._story.role(note, self._stage.log_tail(note.role, 1) if by_itself else "")

    def _excuse(self, what: str, roles: list[str]) -> str:
        return "\n".join(f"{role} {what}. Its last lines:\n{self._stage.log_tail(role)}" for role in roles)

    def _stream(self) -> Outcome:
        start_ms = self._clock.now_ms()
        traffic = Traffic(self._options, self._clock, self._stage, start_ms)
        self._story.proof = Proof(traffic.labels)
        outcome = Outcome(False, "failed")
        try:
            self._started(start_ms)
            self._rate = Rate()
            traffic.start()
            outcome = self._watch(traffic, start_ms)
        except KeyboardInterrupt:
            outcome = Outcome(not self._options.once, "interrupted")
        finally:
            traffic.stop()
            if self._options.recording is not None:
                self._options.recording.end(self._story.proof.incidents.values())
            if self._options.once and outcome.ok:
                outcome = self._compare_lists(traffic, outcome)
            wall_s = time.monotonic() - self._began_s
            self._story.done(*outcome, records=traffic.progress.records, wall_s=wall_s)
        return outcome

    def _compare_lists(self, traffic: Traffic, outcome: Outcome) -> Outcome:
        lists = compared(self._stage.settings, traffic.ledger)
        missing, surplus = len(lists.true - lists.exported), len(lists.exported - lists.true)
        self._story.say("recipients", listed=len(lists.exported), missing=missing, surplus=surplus)
        return outcome if lists.agree else Outcome(False, "the list of recipients is not what it should be")

    def _watch(self, traffic: Traffic, start_ms: int) -> Outcome:
        end_ms = start_ms + int(self._options.span_s * 1000)
        while True:
            traffic.check()
            self._supervise()
            now_ms = self._clock.now_ms()
            self._tell_news(now_ms, traffic)
            missing = self._story.proof.missing
            if self._options.once and not missing:
                return Outcome(True, "the incident has opened, paged and resolved")
            if now_ms >= end_ms:
                return self._over(missing)
            time.sleep(TICK_S)

    def _over(self, missing: list[str]) -> Outcome:
        if self._options.once:
            return Outcome(False, f"after {self._options.span_s:g} s of traffic: {'; '.join(missing)}")
        return Outcome(True, f"{self._options.span_s:g} s of traffic have been played")

    def _tell_news(self, now_ms: int, traffic: Traffic) -> None:
        story, wall_s = self._story, time.monotonic()
        story.labels(now_ms)
        entries = list(self._pages.look())  # first: the incident of a page is already in its topic
        story.incidents(self._incidents.look())
        story.pages(entries)
        self._strike(now_ms)
        if wall_s - self._look_s >= LOOK_EVERY_S:
            self._look_s = wall_s
            story.flags(self._flags.look(now_ms))
        if (per_s := self._rate.look(traffic.progress.records, wall_s)) is not None:
            story.say("rate", records=traffic.progress.records, records_per_s=round(per_s, 1))

    def _strike(self, now_ms: int) -> None:
        """The fault, once, while the first labelled incident lasts."""
        if self._pager_back_s is not None and time.monotonic() >= self._pager_back_s:
            self._pager_back_s = None
            self._stage.receiver.accept()
            self._story.say("fault", name=PAGER_DOWN, role=None, pid=None, over=True)
        if self._faulted or now_ms < self._story.proof.labels[0].onset_ms + AFTER_ONSET_S * 1000:
            return
        self._faulted = True
        name = self._options.fault or ""
        if name == PAGER_DOWN:
            self._stage.receiver.refuse(PAGER_DOWN_STATUS)
            self._pager_back_s = time.monotonic() + PAGER_DOWN_S / self._options.speed
            self._story.say("fault", name=name, role=None, pid=None, over=False)
        for role in FAULTS[name]:
            self._story.say("fault", name=name, role=role, pid=self._supervisor.pid(role), over=None)
            self._supervisor.kill(role)

    def _started(self, start_ms: int) -> None:
        at, options = self._stage.addresses, self._options
        self._story.say(
            "started",
            scenario=options.scenario.name,
            seed=options.seed,
            speed=options.speed,
            start_ms=start_ms,
            wall_s=round(time.monotonic() - self._began_s, 2),
            versions=self._stage.versions(),
            kafka=at.kafka,
            redis=at.redis,
            urls={
                "incidents": self._stage.settings.incidents_url,
                "pager": at.pager,
                **{role: at.role(role) for role in ROLES},
            },
            pages_token=self._stage.settings.pages.token.reveal(),
            directory=str(self._stage.directory),
        )
        self._teller.begin(start_ms)


class Rate:
    """Records per second of wall time, every ten seconds."""

    def __init__(self) -> None:
        self._at_s, self._records = time.monotonic(), 0

    def look(self, written: int, wall_s: float) -> float | None:
        passed_s = wall_s - self._at_s
        if passed_s < RATE_EVERY_S:
            return None
        per_s = (written - self._records) / passed_s
        self._at_s, self._records = wall_s, written
        return per_s
