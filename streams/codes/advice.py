"""What a code says and what to do about it, in words for a person.

The advice on absent phones (30 minutes, three tries, then clean the list) is that of common
practice, not of a standard: carriers' spam filters react to quick and many repeats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streams.codes.code_table import NO_FAULT_CLASS, CodeRow

_MEANING: Mapping[str, str] = {
    NO_FAULT_CLASS: "nothing bad",
    "absent_subscriber": "the phone could not be reached: off, out of coverage or signed off",
    "memory_full": "the phone has no room for another message",
    "equipment": "the phone or SIM can not take the message",
    "destination": "the number does not exist, is no longer in use, or takes no messages",
    "subscriber_barred": "the subscription does not allow the message",
    "network_failure": "something in the recipient's network failed",
    "route": "there was no way to the recipient's network",
    "connection": "the connection on the way to the carrier failed",
    "portability": "where the number belongs could not be found out, or is out of date",
    "malformed": "the message or one of its parameters is wrong",
    "throttled": "more was sent than is allowed",
    "credit": "the account has no credit, or is not open for it",
    "policy": "a rule of provider, carrier or recipient forbids it",
    "spam": "a filter took the message for spam",
    "expired": "the lifetime ran out before delivery; often the phone was off",
    "no_receipt": "nobody said what became of the message",
    "unknown": "the code tells no cause",
}

_RETRY = "Send again after 30 minutes or more, at most 3 times: quick repeats look like spam."
_REMOVE = "Take the number off the list."
_OWN = (
    "Look at your own account, sender or message; no carrier is at fault and sending again changes nothing."
)
_ADVICE: Mapping[str, str] = {
    NO_FAULT_CLASS: "Nothing to do. Delivered is what the provider says, up to the operator in places: "
    "no proof that the phone has the message.",
    "absent_subscriber": f"{_RETRY} More than 3 such failures in a row within 7 days: the number is "
    "probably dead, take it off the list.",
    "memory_full": _RETRY,
    "destination": _REMOVE,
    "subscriber_barred": _REMOVE,
    "spam": "Do not repeat. Look at the content, the sender's registration and how fast you send.",
    "policy": "Do not repeat. Find out which rule it was; a recipient who asked to stop stays off the list.",
    "throttled": "Send more slowly; what was refused may be sent again later.",
    "no_receipt": "Do not take it for a failure: look whether receipts of this carrier come at all.",
}
_BY_PERMANENCE: Mapping[str, str] = {
    "permanent": "Sending again gives the same; use another way to this recipient.",
    "temporary": _RETRY,
    "unknown": "One may pass, many at once on one carrier are worth asking the provider about.",
}
_SIDE: Mapping[str, str] = {
    "handset": "on the phone's side",
    "carrier": "on the carrier's side",
    "number": "with the number itself",
    "route": "on the way to the carrier",
    "own": "on your own side, so not in the carrier's rate",
    "unknown": "on a side that the code does not tell",
}
_LASTING: Mapping[str, str] = {
    "permanent": "Permanent",
    "temporary": "Temporary",
    "unknown": "Maybe temporary",
}
_TRUST: Mapping[str, str] = {
    "likely": "This meaning is likely, not confirmed.",
    "inherited": "This meaning is carried over from the older table.",
    "third_party": "This meaning was seen at third parties, not in the provider's own pages.",
    "inferred": "This meaning was not seen in the provider's pages: check it against your receipts.",
}


def explain(row: CodeRow) -> str:
    """What the code means, how long, on whose side, and what to do; one paragraph."""
    what = f"{row.outcome_class}: {_MEANING[row.outcome_class]}."
    lasting = f"{_LASTING[row.permanence]}, {_SIDE[row.side]}."
    parts = [what, f"{row.description}." if row.description else "", _fault(row, lasting), advise(row)]
    return " ".join(p for p in (*parts, _TRUST.get(row.source, "")) if p)


def advise(row: CodeRow) -> str:
    """What to do about a message that failed with this code."""
    if row.side == "own" and row.outcome_class != "throttled":
        return _OWN
    if row.outcome_class == "absent_subscriber" and row.permanence == "permanent":
        return _REMOVE
    return _ADVICE.get(row.outcome_class) or _BY_PERMANENCE[row.permanence]


def differences(rows: Sequence[tuple[str, CodeRow]]) -> str:
    """How (profile, row) pairs of one code differ, '' where all say the same class."""
    classes: dict[str, list[str]] = {}
    for profile, row in rows:
        classes.setdefault(row.outcome_class, []).append(profile)
    if len(classes) < 2:
        return ""
    return "The profiles differ: " + "; ".join(f"{c} in {', '.join(names)}" for c, names in classes.items())


def _fault(row: CodeRow, lasting: str) -> str:
    return "" if row.outcome_class == NO_FAULT_CLASS else lasting
