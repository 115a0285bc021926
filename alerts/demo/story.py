"""Makes events of what is seen: each beside what the ledger of the truth says about it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from alerts.advice.records import Advice, Record, Release
from alerts.demo.configuration import DemoClock
from alerts.demo.events import Event, Tell
from alerts.demo.proof import Proof, incident_key_of, is_exact
from alerts.demo.receiver import Entry
from alerts.demo.watch import Flag
from alerts.records import Incident
from alerts.settings import Settings
from alerts.supervise import Note
from streams.records import BUCKET_S
from streams.simulate.truth import Label

HELD_MS = 3000
"""A page whose incident has not been seen for so long (wall time) is told all the same."""


class Story:
    """Stamps, enriches and tells. Keeps the proof up to date on the way."""

    def __init__(self, tell: Tell, clock: DemoClock, settings: Settings, proof: Proof) -> None:
        self._tell, self._clock, self._settings, self.proof = tell, clock, settings, proof
        self._begun: set[Label] = set()
        self._ended: set[Label] = set()
        self._held: list[Entry] = []

    def say(self, event: str, **fields: Any) -> None:
        self._tell({"event": event, "at_ms": self._clock.now_ms(), **fields})

    def labels(self, now_ms: int) -> None:
        """Tells which labelled incidents have begun or ended by now."""
        for label in self.proof.labels:
            if now_ms >= label.onset_ms and label not in self._begun:
                self._begun.add(label)
                self.say("label", action="begin", **_of_label(label))
            if now_ms >= label.end_ms and label not in self._ended:
                self._ended.add(label)
                self.say("label", action="end", **_of_label(label))

    def flags(self, seen: Iterable[tuple[str, Flag]]) -> None:
        for action, flag in seen:
            self.say("flag", action=action, **flag._asdict())

    def incidents(self, seen: Iterable[tuple[str, Incident]]) -> None:
        for action, incident in seen:
            self.proof.incident(incident)
            if action:
                self.say("incident", action=action, **self._of_incident(incident))

    def _of_incident(self, i: Incident) -> Event:
        label = self.proof.label_of(i)
        ended_ms = (i.resolved_bucket_s + BUCKET_S) * 1000 if i.resolved_bucket_s is not None else None
        return {
            "key": i.key,
            "rule": i.rule,
            "scope": i.current_scope or i.scope,
            "carrier": i.current_carrier or i.carrier,
            "region": i.current_region or i.region,
            "severity": i.severity.value,
            "ratio": i.ratio,
            "peak_ratio": i.peak_ratio,
            "expected_ratio": i.expected_ratio,
            "failed": i.failed,
            "outcomes": i.outcomes,
            "onset_ms": i.onset_ms,
            "detected_ms": i.detected_ms,
            "resolved_ms": ended_ms,
            "labelled": any(is_exact(x, i) for x in self.proof.labels),
            "label_onset_ms": label.onset_ms if label else None,
            "bucket_delay_s": _seconds(i.detected_ms, label.onset_ms) if label else None,
            "url": self._settings.incident_url(i.key),
        }

    def advice(self, seen: Iterable[Record]) -> None:
        """The first message of each decision, and each hold and release; the rest is counted."""
        for record in seen:
            if not isinstance(record, Advice):
                released = isinstance(record, Release)
                self.proof.hold(record.incident, released=released)
                from_ms = record.until_ms if isinstance(record, Release) else record.from_ms
                self.say(
                    "hold", action="released" if released else "held", key=record.incident, from_ms=from_ms
                )
            elif self.proof.advice(record.decision) == 1:
                fields = (
                    "decision",
                    "reason",
                    "attempt",
                    "max_attempts",
                    "not_before_ms",
                    "failed_ms",
                    "incident",
                )
                named = {name: getattr(record, name) for name in fields}
                self.say("advice", carrier=record.carrier, code=record.code, **named)

    def pages(self, entries: Iterable[Entry]) -> None:
        """What the receiver got. A page waits until its incident has been seen in its topic, where
        it was written before, but may be read a moment later."""
        self._held += [entry for entry in entries if isinstance(entry.event, dict)]
        while self._held and self._is_known(self._held[0]):
            entry = self._held.pop(0)
            dedup_key = _dedup_key(entry)
            self.proof.page(dedup_key, entry.effect)
            self.say("page", **self._of_page(entry, dedup_key))

    def _is_known(self, entry: Entry) -> bool:
        known = incident_key_of(_dedup_key(entry)) in self.proof.incidents
        return known or time.time() * 1000 - entry.at_ms > HELD_MS

    def _of_page(self, entry: Entry, dedup_key: str) -> Event:
        key, page_ms = incident_key_of(dedup_key), self._clock.at_ms(entry.at_ms)
        payload = entry.event.get("payload", {})
        action = entry.event.get("event_action")
        label = self.proof.label_of_key(key)
        incident = self.proof.incidents.get(key)
        since_ms = label and (label.onset_ms if action == "trigger" else label.end_ms)
        return {
            "action": action,
            "effect": entry.effect,
            "status": entry.status,
            "notified": entry.notified,
            "dedup_key": dedup_key,
            "key": key,
            "severity": payload.get("severity"),
            "summary": payload.get("summary"),
            "timestamp": payload.get("timestamp"),
            "onset_ms": label.onset_ms if label else None,
            "page_ms": page_ms,
            "delay_s": _seconds(page_ms, since_ms) if since_ms else None,
            "bucket_delay_s": _seconds(incident.detected_ms, label.onset_ms) if incident and label else None,
            "url": self._settings.incident_url(key),
        }

    def role(self, note: Note, last_line: str) -> None:
        self.say(
            "role",
            role=note.role,
            action=note.what.value,
            exit_code=note.exit_code,
            again_in_s=note.again_in_s,
            last_line=last_line or None,
        )

    def done(self, ok: bool, reason: str, records: int, wall_s: float) -> None:
        proof = self.proof
        self.say(
            "done",
            ok=ok,
            reason=reason,
            records=records,
            incidents=len(proof.incidents),
            unlabelled=len(proof.unlabelled),
            triggers=sum(proof.triggers.values()),
            resolves=proof.resolves,
            advised=dict(proof.advised),
            wall_s=round(wall_s, 1),
        )


def _of_label(label: Label) -> Event:
    return {name: getattr(label, name) for name in label.__struct_fields__}


def _dedup_key(entry: Entry) -> str:
    return str(entry.event.get("dedup_key", ""))


def _seconds(later_ms: int, earlier_ms: int) -> float:
    return round((later_ms - earlier_ms) / 1000, 3)
