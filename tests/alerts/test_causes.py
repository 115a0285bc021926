"""What is known of the cause of an incident: told on its page and to pagers, kept by who writes incidents."""

from __future__ import annotations

from alerts.causes import OfSender, Senders
from alerts.ledger import Ledger
from alerts.pages import view
from alerts.paging import notices, pages, ruled_out
from alerts.records import Incident, Severity
from alerts.review.evidence import Evidence
from alerts.verification import Kind, verified
from tests.alerts.incidents import incident

WELL = verified([Kind.EXPECTED] * 19 + [Kind.DEAD], 1_000)
SHARED = Senders(others_failed=38, others=100, shared=True, busiest="+1202•••0123", busiest_share=0.6, seen=9)


def critical(**changes: object) -> Incident:
    fields = {
        "severity": Severity.CRITICAL,
        "was_critical": True,
        "warned": False,
        "distinct_recipients": 398,
    }
    return incident(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_critical_page_says_what_is_ruled_out() -> None:
    one = critical(senders=SHARED, verified=WELL)
    (page,) = pages(one)
    assert "Ruled out: a few handsets, one sender, numbers that do not exist, landlines" in page.summary
    assert page.details["ruled_out"] == ruled_out(one)
    assert str(page.details["verification"]).startswith("Lookup of 20 failed numbers: 19 with the expected")


def test_a_warning_says_it_in_its_details_alone_and_nothing_is_made_up() -> None:
    (page,) = pages(incident(senders=SHARED, distinct_recipients=60))
    assert "Ruled out" not in page.summary and page.details["ruled_out"] == "a few handsets, one sender"
    (bare,) = pages(critical(distinct_recipients=8))
    assert "Ruled out" not in bare.summary and not bare.details["ruled_out"]


def test_a_sender_is_named_in_place_of_the_carrier() -> None:
    bad = Senders((OfSender("+1202•••0123", 412, 455), OfSender("ACME", 9, 10)), 30, 3_000)
    (page,) = pages(critical(senders=bad, current_scope="sender"))
    assert page.summary.startswith("Senders +1202•••0123, ACME failing, not the carrier: r, carrier 310-260")
    assert (page.details["scope"], page.details["senders"]) == ("sender", "+1202•••0123, ACME")


def test_the_page_of_an_incident_says_what_lookup_found() -> None:
    looked_up, out = view.causes(critical(senders=SHARED, verified=WELL))
    assert looked_up.startswith("Lookup of 20") and out.startswith("Ruled out: a few handsets, one sender")
    assert view.causes(incident()) == []


async def test_what_was_found_is_written_told_as_a_change_and_outlives_the_next_bucket() -> None:
    sent: list[tuple[str, bytes]] = []

    async def send(topic: str, key: bytes, value: bytes) -> None:
        sent.append((topic, value))

    ledger, one = Ledger(send), critical()
    await ledger.keep([one])
    after = await ledger.verify(one.key, WELL)
    assert after is not None and after.seq == one.seq + 1 and after.verified == WELL
    assert [topic for topic, _ in sent[-2:]] == ["incidents", "incident-events"]
    assert b"looked_up" in sent[-1][1] and notices(after)[0].seq == after.seq
    (change,) = await ledger.keep([critical(last_bucket_s=one.last_bucket_s + 10)])
    assert change.incident.verified == WELL and change.incident.seq == after.seq
    assert await ledger.verify("nobody", WELL) is None


def test_evidence_keeps_both() -> None:
    assert {"senders", "verified"} <= set(Evidence.__struct_fields__)
