"""Whatever is interleaved, the pager ends up with what is wanted and nobody is woken twice.

The machine plays incident station, network and PagerDuty. Each incident has a warning key and a
critical one; the model pager opens and resolves alerts by key and counts who was woken.
"""

from __future__ import annotations

import random

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from alerts.desk import CRITICAL_SUFFIX, DOUBT_MS, Desk, Remote
from alerts.records import Decision, Delivery, Incident, Page, Severity, State

KEYS = ("one", "two")
WANTED = {
    "warning": ("trigger", "resolve"),
    "critical": ("resolve", "trigger"),
    "over": ("resolve", "resolve"),
}
"""Actions of the warning's key and the critical one; a key never triggered is never resolved."""
CHANGES = st.sampled_from(sorted(WANTED))
ANSWERS = st.sampled_from(
    ["taken", "taken", "unrecorded", "busy", "broken", "bad", "lost", "taken, answer lost"]
)


class PagingMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1_700_000_000_000
        self.seed = 0
        self.incidents: dict[str, Incident] = {}
        self.pages: dict[str, dict[str, Page]] = {key: {} for key in KEYS}
        self.open: dict[str, bool] = {}
        self.sure: dict[str, bool] = {}
        """Keys about which the desk has no reason to doubt what the pager has."""
        self.ever_sent: set[str] = set()
        self.desk = self.new_desk()

    def new_desk(self) -> Desk:
        self.seed += 1
        return Desk("pagerduty", "id", random.Random(self.seed))

    @initialize()
    def begin(self) -> None:
        for key in KEYS:
            self.incidents[key] = Incident(
                key=key,
                seq=0,
                rule="r",
                scope="carrier",
                carrier="c",
                region="all",
                state=State.RESOLVED,
                severity=Severity.WARNING,
                opened_bucket_s=0,
                detected_ms=0,
                last_bucket_s=0,
                reason=Decision.SPIKE,
                resolved_bucket_s=0,
            )

    def change(self, key: str, to: str) -> None:
        """An incident opens, gets worse, ends, opens again; it gets better only by ending."""
        old, pages = self.incidents[key], self.pages[key]
        was_open = old.state is State.OPEN
        if to == "warning" and old.severity is Severity.CRITICAL and was_open:
            return
        reopens = not was_open and to != "over" and bool(pages)
        for suffix, action in zip(("", CRITICAL_SUFFIX), WANTED[to], strict=True):
            if action == "trigger" or key + suffix in pages:
                severity = Severity.CRITICAL if suffix else Severity.WARNING
                pages[key + suffix] = Page(
                    key + suffix, key, action, old.seq + 1, severity, "words", "c", self.now
                )
        self.incidents[key] = msgspec.structs.replace(
            old,
            seq=old.seq + 1,
            state=State.RESOLVED if to == "over" else State.OPEN,
            severity=Severity.CRITICAL if to == "critical" else Severity.WARNING,
            reopened=old.reopened + reopens,
            resolved_bucket_s=self.now // 1000 if to == "over" else None,
        )
        self.desk.want(pages.values(), self.now)

    @rule(key=st.sampled_from(KEYS), to=CHANGES)
    def the_incident_changes(self, key: str, to: str) -> None:
        self.change(key, to)

    @rule(key=st.sampled_from(KEYS), data=st.data())
    def an_old_page_is_wanted_again(self, key: str, data: st.DataObject) -> None:
        for page in self.pages[key].values():
            seq = data.draw(st.integers(0, page.seq))
            action = data.draw(st.sampled_from(["trigger", "resolve"]))
            self.desk.want([msgspec.structs.replace(page, seq=seq, action=action)], self.now)

    @rule(ms=st.integers(1, 120_000))
    def time_passes(self, ms: int) -> None:
        self.now += ms

    @rule(answer=ANSWERS, key=st.sampled_from(KEYS), meanwhile=st.none() | CHANGES)
    def a_page_is_sent(self, answer: str, key: str, meanwhile: str | None) -> None:
        """`meanwhile`: the incident changes while the request is under way."""
        due = self.desk.due(self.now)
        if not due:
            return
        page = due[0]
        assert self.desk.still_wanted(page)
        self.check_before_sending(page)
        self.ever_sent.add(page.dedup_key)
        if meanwhile is not None:
            self.change(key, meanwhile)
        self.answer(page, answer)

    @rule(key=st.sampled_from(KEYS), suffix=st.sampled_from(["", CRITICAL_SUFFIX]))
    def a_person_resolves_it_at_the_pager(self, key: str, suffix: str) -> None:
        """The pager tells us, and the incident wants nothing open any more."""
        dedup_key, seq = key + suffix, self.incidents[key].seq
        if self.open.get(dedup_key):
            self.open[dedup_key], self.sure[dedup_key] = False, True
            self.record(Delivery("pagerduty", dedup_key, "resolve", seq, self.now, by="ann"))
            self.desk.heard(dedup_key, "resolve")
            self.change(key, "over")

    def check_before_sending(self, page: Page) -> None:
        key = page.dedup_key
        newest = self.pages[page.incident_key][key]
        assert (page.seq, page.action) == (newest.seq, newest.action), "only the newest is sent"
        if self.sure.get(key, True):
            assert self.open.get(key, False) == (page.action == "resolve"), "only a difference is sent"
        other = self.pages[page.incident_key].get(key + CRITICAL_SUFFIX)
        if page.action == "resolve" and other and other.action == "trigger":
            assert self.open.get(other.dedup_key), "the warning stays until the critical page is in"

    def answer(self, page: Page, answer: str) -> None:
        key = page.dedup_key
        if answer.startswith("taken") or answer == "unrecorded":
            self.open[key] = page.action == "trigger"
        match answer:
            case "taken":
                self.sure[key] = True
                self.record(self.desk.accepted(page, self.now))
            case "unrecorded":
                self.desk.accepted(page, self.now)
                self.the_owner_is_replaced()
            case "busy":
                self.desk.refused(page, 429, 7.0, self.now)
            case "broken":
                self.desk.refused(page, 500, None, self.now)
            case "bad":
                self.desk.refused(page, 400, None, self.now)
            case _:
                self.sure[key] = False
                self.desk.in_doubt(page, self.now)

    def record(self, delivery: Delivery) -> None:
        key = delivery.dedup_key.removesuffix(CRITICAL_SUFFIX)
        old = self.incidents[key]
        self.incidents[key] = msgspec.structs.replace(old, deliveries=(*old.deliveries, delivery))

    @rule()
    def the_owner_is_replaced(self) -> None:
        self.desk = self.new_desk()
        for key, incident in self.incidents.items():
            self.desk.restore(incident, self.pages[key].values(), self.now, self.now)
        self.check_nothing_recorded_is_due()
        for row in self.desk.rows.values():
            if row.remote is Remote.DOUBT:
                self.sure[row.desired.dedup_key] = False
            else:
                assert row.settled or not self.open.get(row.desired.dedup_key)

    def check_nothing_recorded_is_due(self) -> None:
        for incident in self.incidents.values():
            told = {d.dedup_key: d.action for d in incident.deliveries if not d.by}
            for key, page in self.pages[incident.key].items():
                if told.get(key) == page.action and not incident.reopened:
                    assert self.desk.rows[key].settled

    @precondition(lambda self: not any(row.dead for row in self.desk.rows.values()))
    @rule()
    def the_pager_recovers(self) -> None:
        """Once everything is taken, the pager has what is wanted, and nothing more is sent."""
        while (due_ms := self.desk.next_due_ms()) is not None:
            self.now = max(self.now, due_ms)
            page = self.desk.due(self.now)[0]
            self.check_before_sending(page)
            self.ever_sent.add(page.dedup_key)
            self.answer(page, "taken")
        for pages in self.pages.values():
            for key, page in pages.items():
                assert self.open.get(key, False) == (page.action == "trigger")
        assert self.desk.due(self.now + 10 * DOUBT_MS) == []
        assert self.desk.backlog() == (0, None)

    @invariant()
    def a_key_never_sent_is_not_open(self) -> None:
        assert not any(is_open and key not in self.ever_sent for key, is_open in self.open.items())


PagingMachine.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
TestPaging = PagingMachine.TestCase
