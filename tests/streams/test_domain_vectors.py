"""Records that were seen in the field, the whole way to their normalised outcome.

Each names where it was published; a number that was masked there stays masked.
"""

from __future__ import annotations

from typing import Any

import pytest

from streams.privacy import DEMO_KEY, RecipientHasher
from streams.records import Malformed, Outcome
from streams.region import RegionOf
from streams.settings import Source as Config
from streams.source import Source, outcome

RECEIVED_MS = 1_784_290_200_000
HASHER = RecipientHasher(DEMO_KEY)


def outcomes(value: str, form: str, **config: Any) -> list[Outcome]:
    source = Source.of(Config(name="s", format=form, **config))
    pieces = source.open(value.encode()) if source.open else [value.encode()]
    readings = source.decoder.decode_batch(pieces)
    found = [
        r if isinstance(r, Malformed) else outcome(source, r, RECEIVED_MS, RegionOf(), HASHER)
        for r in readings
    ]
    read = [one for one in found if isinstance(one, Outcome)]
    assert len(read) == len(found), found
    return read


SID = "SM" + "0" * 31 + "1"
QUEUED = (  # department-of-veterans-affairs/notification-api#1095
    '{"args": [{"Message": {"body": "RawDlrDoneDate=2303092021&ErrorCode=30002&SmsSid=SMxxx&SmsStatus=failed'
    "&MessageStatus=failed&To=%2B11111111111&MessageSid=SMyyy&AccountSid=ACzzz&From=%2B12222222222"
    '&ApiVersion=2010-04-01", "provider": "twilio"}}]}'
)
UNREGISTERED = (  # department-of-veterans-affairs/notification-api#1376
    f"ErrorCode=30034&SmsSid={SID}&SmsStatus=undelivered&MessageStatus=undelivered&To=%2B12025550123"
    f"&MessageSid={SID}&AccountSid=AC0&From=%2B12025550100&ApiVersion=2010-04-01"
)
ABSENT = (  # the body of the second signature vector
    f"AccountSid=AC00000000000000000000000000000000&ApiVersion=2010-04-01&ErrorCode=30003&From=%2B15550000002"
    f"&MessageSid={SID}&SmsSid={SID}&MessageStatus=undelivered&SmsStatus=undelivered"
    "&RawDlrDoneDate=2607171206&To=%2B15550000001"
)


@pytest.mark.parametrize(
    ("value", "envelope", "message_id", "told"),
    [
        (QUEUED, "path:args.*.Message.body", "SMyyy", ("failed", "30002", "policy", "own", False)),
        (UNREGISTERED, "", SID, ("undelivered", "30034", "policy", "own", False)),
        (ABSENT, "", SID, ("undelivered", "30003", "absent_subscriber", "handset", True)),
    ],
)
def test_status_callbacks(
    value: str, envelope: str, message_id: str, told: tuple[str, str, str, str, bool]
) -> None:
    (o,) = outcomes(value, "twilio-status-callback", envelope=envelope)
    assert (o.status, o.code, o.outcome_class, o.side, o.final) == told
    assert (o.message_id, o.carrier, o.provider_time_ms) == (message_id, "unknown", None)


@pytest.mark.parametrize("code", ['"errorCode": 30003', '"errorCode": "30003"'])
@pytest.mark.parametrize("done", ["2607171206", "2026-07-17T12:06:00.000Z"])
def test_events(code: str, done: str) -> None:
    event = (
        '{"specversion": "1.0", "type": "com.twilio.messaging.message.undelivered", "id": "EZ1",'
        f' "datacontenttype": "2026-07-17", "data": {{"messageSid": "{SID}", "messageStatus": "UNDELIVERED",'
        f' {code}, "timestamp": "2026-07-17T12:06:00.500Z", "to": "+12025550123", "from": "+12025550100",'
        f' "mcc": "310", "mnc": "260", "rawDlrDoneDate": "{done}", "tags": {{"region": "us-ca"}}}}}}'
    )
    for o in outcomes(event, "twilio-event-streams") + outcomes(f"[{event},{event}]", "twilio-event-streams"):
        assert (o.status, o.code, o.outcome_class) == ("undelivered", "30003", "absent_subscriber")
        assert (o.carrier, o.region, o.provider_time_ms) == ("unknown", "US-CA", 1_784_289_960_500)


RECEIPTS = {
    "opentelecoms-org/jsmpp#62": (
        "id:1526758174 submit date:1701240904 done date:1701240904 stat:DELIVRD err:000 text:hellow",
        "delivered", "000", "delivered",
    ),
    "uudashr/jsmpp#67": (
        "id:0654354026 submit date:2302101454 done date:2302101454 stat:DELIVRD err:000",
        "delivered", "000", "delivered",
    ),
    "onlinecity/php-smpp#70": (
        "id:117062714244798261 sub:001 dlvrd:001 submit date:1706271624 done date:1706271624 stat:DELIVRD"
        " err:0000 text:H\x1bello world\n0423 0003 030000\n1454 0004 00000001\n1418 0004 00000000",
        "delivered", "0000", "delivered",
    ),
    "jookies/jasmin#447": (
        "id:1216080510463401720 sub:001 dlvrd:001 submit date:1608051046 done date:0000000000 stat:FAILED"
        " err:002 Text:",
        "undelivered", "002", "memory_full",
    ),
    "jookies/jasmin#760": (
        "id:fa9542be-3c16-44bb-9a8c-d277ea1851ef submit date:1911211739 done date:1911211741 stat:DELIVRD"
        " err:002",
        "delivered", "002", "delivered",
    ),
    "jookies/jasmin#753": (
        "id:dbd1d8e8-d2a4-4efe-b508-60761b1ae484 submit date:201906190720 done date:201906190720"
        " stat:EXPIRED err:030",
        "expired", "030", "unknown",
    ),
    "funbox/smppex#46": (
        "id:rdwjwxns18krxr9936ey96ymcw sub:000 dlvrd:000 submit date:180711070003912+"
        " done date:180711070000012+ stat:UNDELIV err:000",
        "undelivered", "000", "unknown",
    ),
    "farhadi/node-smpp#77": (
        "id:45013692 sub:0 dlvrd:28 submit date:1908121157 done date:1908121158 stat:UNDELIV err:21"
        " Text:*100#",
        "undelivered", "21", "connection",
    ),
    "made: a text like fields": (
        "id:0123456789 sub:001 dlvrd:000 submit date:2607171200 done date:2607171206 stat:UNDELIV err:001"
        " Text:stat:DELIVRD err:000",
        "undelivered", "001", "absent_subscriber",
    ),
}  # fmt: skip


@pytest.mark.parametrize("seen_at", list(RECEIPTS))
def test_receipts(seen_at: str) -> None:
    text, status, code, outcome_class = RECEIPTS[seen_at]
    (o,) = outcomes(text, "smpp-receipt", zone="UTC")
    assert (o.status, o.code, o.outcome_class) == (status, code, outcome_class)
    assert o.message_id == text.split()[0].removeprefix("id:")
    dated = "done date:0000000000" not in text
    assert (o.provider_time_ms is not None) is dated and o.sent_time_ms is not None


def test_the_receipt_that_was_done_before_it_was_submitted_says_so() -> None:
    (o,) = outcomes(RECEIPTS["funbox/smppex#46"][0], "smpp-receipt", zone="UTC")
    assert o.provider_time_ms is not None and o.sent_time_ms is not None
    assert o.provider_time_ms - o.sent_time_ms == -3_900
