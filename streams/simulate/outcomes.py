"""What becomes of a message: delivered, failed with some code, or one of the odd endings."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from streams.simulate.ledger import CLASSES
from streams.simulate.parts import Incident, Scenario
from streams.simulate.truth import TWILIO, Leaf, Verdict

Mix = tuple[tuple[Verdict, float], ...]

ABSENT = {"twilio": Verdict("undelivered", "30003"), "twilio-smpp": Verdict("undelivered", "001")}
"""What becomes of messages to a dead number, by profile."""

FAILURES: Mapping[str, Mix] = {
    "twilio": (
        (Verdict("undelivered", "30003"), 0.42),
        (Verdict("failed", "30003"), 0.02),  # seen in public cases, though it should be undelivered
        (Verdict("undelivered", "30005"), 0.20),
        (Verdict("undelivered", "30006"), 0.11),
        (Verdict("undelivered", "30008"), 0.15),
        (Verdict("undelivered", "30007"), 0.10),
    ),
    "twilio-smpp": (
        (Verdict("undelivered", "001"), 0.28),
        (Verdict("undelivered", "059"), 0.14),
        (Verdict("undelivered", "007"), 0.03),
        (Verdict("undelivered", "015"), 0.02),
        (Verdict("undelivered", "002"), 0.09),
        (Verdict("undelivered", "047"), 0.06),
        (Verdict("undelivered", "054"), 0.16),
        (Verdict("undelivered", "255"), 0.05),
        (Verdict("expired", "052"), 0.13),
        (Verdict("expired", "000"), 0.04),
    ),
}
"""How messages fail on an ordinary day, per profile. Shares add up to 1."""

DELIVERED = {"twilio": Verdict("delivered"), "twilio-smpp": Verdict("delivered", "000")}
IN_FLIGHT = {"twilio": Verdict("in_flight"), "twilio-smpp": Verdict("in_flight", "000")}
UNDETERMINED = {"twilio": Verdict("unknown"), "twilio-smpp": Verdict("unknown", "000")}
OWN_SIDE: Mapping[str, Mix] = {
    "twilio": ((Verdict("failed", "30034"), 0.7), (Verdict("cancelled"), 0.3)),
    "twilio-smpp": ((Verdict("undelivered", "058"), 0.7), (Verdict("cancelled", "000"), 0.3)),
}


def _all_verdicts() -> tuple[Verdict, ...]:
    mixed = [v for table in (FAILURES, OWN_SIDE) for mix in table.values() for v, _ in mix]
    plain = [v for table in (DELIVERED, IN_FLIGHT, UNDETERMINED) for v in table.values()]
    codes = [Verdict("undelivered", c) for classes in CLASSES.values() for c in classes]
    return tuple(dict.fromkeys(plain + mixed + codes))


VERDICTS = _all_verdicts()
INDEX = {verdict: i for i, verdict in enumerate(VERDICTS)}


class Outcomes:
    """Draws the verdicts of finals."""

    def __init__(self, scenario: Scenario, leaves: tuple[Leaf, ...]) -> None:
        self._scenario = scenario
        self._delivered = np.array([INDEX[DELIVERED[leaf.profile]] for leaf in leaves])
        self._undetermined = np.array([INDEX[UNDETERMINED[leaf.profile]] for leaf in leaves])
        self._has_undetermined = np.array([leaf.format != TWILIO for leaf in leaves])
        self._of_profile = {p: np.array([leaf.profile == p for leaf in leaves]) for p in FAILURES}

    def judge(
        self, rows: np.ndarray, failed: np.ndarray, scopes: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Fills in `verdict`; returns which rows failed, incidents included.

        `scopes[i]` tells which leaves incident i covers. An incident outweighs everything else.
        """
        leaf, u = rows["leaf"], rng.random(len(rows))
        rows["verdict"] = self._delivered[leaf]
        self._mix(rows, failed, FAILURES, rng)
        d = self._scenario.disturbances
        self._mix(rows, u < d.own_side, OWN_SIDE, rng)
        odd = (u >= d.own_side) & (u < d.own_side + d.undetermined) & self._has_undetermined[leaf]
        rows["verdict"][odd] = self._undetermined[leaf[odd]]
        failed = failed & (u >= d.own_side) & ~odd
        for incident, scope in zip(self._scenario.incidents, scopes, strict=True):
            hit = _struck(rows, incident, scope, rng)
            self._mix(rows, hit, _mixes(incident), rng)
            failed |= hit
        return np.asarray(failed)

    def _mix(
        self, rows: np.ndarray, which: np.ndarray, mixes: Mapping[str, Mix], rng: np.random.Generator
    ) -> None:
        """Gives the rows in `which` a verdict out of their profile's mix."""
        for profile, mix in mixes.items():
            where = np.flatnonzero(which & self._of_profile[profile][rows["leaf"]])
            upper = np.cumsum([share for _, share in mix])
            drawn = np.searchsorted(upper, rng.random(len(where)) * upper[-1], side="right")
            rows["verdict"][where] = np.array([INDEX[v] for v, _ in mix])[np.minimum(drawn, len(mix) - 1)]


def _struck(rows: np.ndarray, incident: Incident, scope: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    begin, end = incident.at_s * 1000, (incident.at_s + incident.duration_s) * 1000
    if not len(rows) or rows["received"].max() < begin or rows["received"].min() >= end:
        return np.zeros(len(rows), dtype=bool)
    during = (rows["received"] >= begin) & (rows["received"] < end)
    return np.asarray(scope[rows["leaf"]] & during & (rng.random(len(rows)) < incident.ratio))


def _mixes(incident: Incident) -> dict[str, Mix]:
    """The incident's codes, sorted out by profile; profiles without any are left out."""
    mixes = {
        profile: tuple(
            (Verdict("undelivered", c), share) for c, share in incident.codes.items() if c in known
        )
        for profile, known in CLASSES.items()
    }
    return {profile: mix for profile, mix in mixes.items() if mix}
