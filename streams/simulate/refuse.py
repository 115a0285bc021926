"""What is wrong with a scenario, in words: the key, the value and what is allowed."""

from __future__ import annotations

from collections.abc import Iterable

from streams.simulate import numbers
from streams.simulate.ledger import CLASSES
from streams.simulate.parts import Incident, Scenario, covers
from streams.simulate.truth import CANONICAL, GARBAGE, SMPP, TWILIO

PROFILES_OF = {CANONICAL: set(CLASSES), TWILIO: {"twilio"}, SMPP: {"twilio-smpp"}}
"""The code profiles that a format can come with."""

SCOPES = {
    "global": (False, False),
    "carrier": (True, False),
    "region": (False, True),
    "pair": (True, True),
}
"""Whether a scope names a carrier, a region."""


def complaints(s: Scenario) -> Iterable[str]:
    if s.duration_s < 1 or s.rate <= 0:
        yield f"duration_s = {s.duration_s}, rate = {s.rate}: both must be above 0"
    if not (s.feeds and s.carriers and s.regions):
        yield "feeds, carriers and regions need an entry each"
    yield from _of_feeds(s)
    yield from _of_network(s)
    yield from _of_disturbances(s)
    for i, incident in enumerate(s.incidents):
        yield from (f"incidents[{i}].{text}" for text in _of_incident(s, incident))


def _of_feeds(s: Scenario) -> Iterable[str]:
    known = {c.id for c in s.carriers}
    for f in s.feeds:
        profiles = PROFILES_OF.get(f.format)
        if profiles is None:
            yield f"feeds.{f.source}.format = {f.format!r}: one of {', '.join(sorted(PROFILES_OF))}"
        elif f.profile not in profiles:
            yield f"feeds.{f.source}.profile = {f.profile!r}: one of {', '.join(sorted(profiles))}"
        if f.share <= 0 or not 0 <= f.text_share <= 1 or not 1 <= f.senders <= 100:
            yield f"feeds.{f.source}: share above 0, text_share within 0 and 1, senders within 1 and 100"
        for carrier in set(f.carriers) - known:
            yield f"feeds.{f.source}.carriers: {carrier!r} is not among the carriers"
    if len({f.source for f in s.feeds}) < len(s.feeds):
        yield "feeds: every source needs its own name"


def _of_network(s: Scenario) -> Iterable[str]:
    known = {r.id for r in s.regions}
    for r in s.regions:
        if r.id not in numbers.regions():
            yield f"regions.id = {r.id!r}: one of {', '.join(numbers.regions())}"
        if r.weight <= 0:
            yield f"regions.{r.id}.weight = {r.weight}: must be above 0"
    for c in s.carriers:
        if c.weight <= 0 or not 0 <= c.base_rate <= 0.5:
            yield f"carriers.{c.id}: weight above 0, base_rate within 0 and 0.5"
        if not c.regions or not set(c.regions) <= known:
            yield f"carriers.{c.id}.regions = {list(c.regions)}: some of {', '.join(sorted(known))}"


def _of_disturbances(s: Scenario) -> Iterable[str]:
    shares = ("duplicates", "conflicts", "late", "disorder", "sent_after_final", "own_side", "undetermined")
    for key in (*shares, "dead", "inbound", "garbage"):
        value = getattr(s.disturbances, key)
        if not 0 <= value <= 0.5:
            yield f"disturbances.{key} = {value}: a share within 0 and 0.5"
    if not set(s.disturbances.garbage_kinds) <= set(GARBAGE):
        yield f"disturbances.garbage_kinds: some of {', '.join(GARBAGE)}"
    if not 1.5 <= s.delays.cap_s <= 600:
        yield f"delays.cap_s = {s.delays.cap_s}: within 1.5 and 600 s"


def _of_incident(s: Scenario, incident: Incident) -> Iterable[str]:
    if (bool(incident.carrier), bool(incident.region)) != SCOPES[incident.scope]:
        yield f"scope = {incident.scope!r}: a pair names carrier and region, the others what they are called"
    if not 0 < incident.ratio <= 1 or incident.duration_s <= 0 or incident.at_s < 0:
        yield "ratio within 0 and 1, duration_s above 0, at_s 0 or more"
    if not any(covers(incident, c.id, r) for c in s.carriers for r in c.regions):
        yield f"carrier = {incident.carrier!r}, region = {incident.region!r}: no traffic goes there"
    for code in incident.codes:
        if not any(code in table for table in CLASSES.values()):
            yield f"codes: {code!r} is not known to the ledger"
    if not incident.codes or min(incident.codes.values()) <= 0:
        yield "codes: at least one, every share above 0"
    for feed in set(incident.feeds) - {f.source for f in s.feeds}:
        yield f"feeds: {feed!r} is not among the feeds"
