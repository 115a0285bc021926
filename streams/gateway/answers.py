"""The answers of the gateway: status and words by what became of a request. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from streams.gateway.accept import Taken
from streams.label_values import Answer

RETRY_AFTER_S = 5

STATUS: Mapping[Answer, int] = {
    Answer.ACCEPTED: 204,
    Answer.REPEATED: 204,
    Answer.IGNORED: 204,
    Answer.MALFORMED: 400,
    Answer.FORBIDDEN: 403,
    Answer.NOT_FOUND: 404,
    Answer.METHOD: 405,
    Answer.TOO_SLOW: 408,
    Answer.TOO_LARGE: 413,
    Answer.ENCODED: 415,
    Answer.UNAVAILABLE: 503,
}
GOOD = frozenset({Answer.ACCEPTED, Answer.REPEATED, Answer.IGNORED})
ENDING = frozenset({Answer.TOO_SLOW, Answer.TOO_LARGE})
"""Answers after which the connection is of no use: the rest of the body may still be on its way."""

ACKNOWLEDGED_BY_TEXT: Mapping[str, bytes] = {"jasmin-http": b"ACK/Jasmin"}
"""Formats whose sender wants to read a word, else it sends again (docs of Jasmin's HTTP API)."""


class Reply(NamedTuple):
    """What is answered. Nothing of it quotes the request."""

    answer: Answer
    words: bytes = b""
    """The body, JSON but for ACKNOWLEDGED_BY_TEXT."""
    allow: str = ""


def refused(answer: Answer, reason: str, detail: str, **more: int) -> Reply:
    return Reply(answer, msgspec.json.encode({"reason": reason, "detail": detail, **more}))


def written(format_name: str, taken: Taken, answer: Answer = Answer.ACCEPTED) -> Reply:
    """Once all of it is written: 400 as soon as one record of the request could not be read."""
    if not taken.unreadable:
        return Reply(answer, ACKNOWLEDGED_BY_TEXT.get(format_name, b""))
    why = taken.unreadable[0].why
    counts = {"accepted": len(taken.records), "malformed": len(taken.unreadable)}
    return refused(Answer.MALFORMED, why.reason, why.detail, **counts)


FORBIDDEN_TOKEN = refused(
    Answer.FORBIDDEN, "token", "the bearer token is missing or not the one of this source"
)
FORBIDDEN_SIGNATURE = refused(
    Answer.FORBIDDEN, "signature", "X-Twilio-Signature does not fit this URL, body and Auth Token"
)
FORBIDDEN_WEBHOOK = refused(
    Answer.FORBIDDEN, "signature", "X-PagerDuty-Signature does not fit this body and pagerduty.webhook_secret"
)
NOT_FOUND = refused(Answer.NOT_FOUND, "unknown_source", "no source takes requests here: /v1/SOURCE/ENDPOINT")
TOO_SLOW = refused(Answer.TOO_SLOW, "too_slow", "the body did not come in time")
ENCODED = refused(Answer.ENCODED, "encoded", "send the body as it is, without Content-Encoding")
BROKEN = refused(Answer.MALFORMED, "broken", "the body ended before its end")
UNAVAILABLE = refused(Answer.UNAVAILABLE, "unavailable", "Kafka can not take it now; send it again")


def too_large(most_bytes: int) -> Reply:
    return refused(Answer.TOO_LARGE, "too_large", f"the body has more than {most_bytes} bytes")


def wrong_method(allow: str) -> Reply:
    return refused(Answer.METHOD, "method", f"use {allow}")._replace(allow=allow)
