"""The format `jasmin-log`: the lines of Jasmin's logs, as issues of jookies/jasmin show them."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from streams.decode import Options, format_of
from streams.decode.times import zone_of
from streams.records import Malformed, Reason, Status

SENT = (
    "2016-12-02 11:57:24 INFO     9476 SMS-MT [cid:faketx2] [queue-msgid:607e6800-5617-4ce6-9ec7]"
    " [smpp-msgid:1d6a811] [status:ESME_ROK] [prio:0] [dlr:SMSC_DELIVERY_RECEIPT_REQUESTED] [validity:none]"
    " [from:Acme] [to:12025550123] [content:'Hi \\x00 Hello A0']"
)  # jookies/jasmin#514
RECEIPT = (
    "2016-12-02 11:57:31 INFO     9476 DLR [cid:faketx2] [smpp-msgid:1D6A811] [status:DELIVRD]"
    " [submit date:1612021157] [done date:1612021158] [sub/dlvrd messages:001/001] [err:nul] [content:'Hi']"
)
REFUSED = (
    "2026-07-17 12:00:00 INFO     1 SMS-MT [cid:east] [queue-msgid:b221e7e9] [status:ERROR/{status}]"
    " [retry:{retry}] [prio:0] [dlr:x] [validity:none] [from:Acme] [to:12025550123] [content:'Hi'] [tlvs:]"
)
INBOUND = (
    "2016-08-05 05:16:41 INFO     11696 SMS-MO [cid:rx4] [queue-msgid:31500b51] [status:ESME_ROK]"
    " [prio:LEVEL_0] [validity:None] [from:12025550123] [to:PDYBJP] [content:{content}]"
)


def decode(line: str | bytes, zone: str = "") -> Any:
    decoder = format_of("jasmin-log").decoder(Options(zone_of(zone)))
    return decoder.decode_batch([line.encode() if isinstance(line, str) else line])[0]


def status(reading: Any) -> Status | None:
    return format_of("jasmin-log").decoder().status(reading.status, str(reading.code or ""))


def test_both_lines_of_a_message_have_one_id() -> None:
    sent, receipt = decode(SENT), decode(RECEIPT)
    assert sent.message_id == receipt.message_id == "1D6A811"
    assert (status(sent), status(receipt)) == (Status.IN_FLIGHT, Status.DELIVERED)


def test_leading_zeros_of_the_smsc_id_do_not_part_them() -> None:
    # jookies/jasmin#643: a DLR line has lost them
    assert decode(SENT.replace("1d6a811", "0e999f21-81ef")).message_id == "E999F21-81EF"


def test_a_submission_tells_the_numbers_and_the_connector() -> None:
    r = decode(SENT)
    assert (r.to, r.sender, r.carrier, r.code) == ("+12025550123", "Acme", "connector:faketx2", None)


def test_a_receipt_tells_its_code_and_dates() -> None:
    r = decode(RECEIPT, "UTC")
    assert (r.code, r.to, r.carrier) == ("nul", None, "connector:faketx2")
    assert (r.sent_time_ms, r.provider_time_ms) == (1_480_679_820_000, 1_480_679_880_000)
    assert decode(RECEIPT).provider_time_ms is None


def test_bytes_around_values_are_taken_off() -> None:
    # jookies/jasmin#1029
    line = SENT.replace("1d6a811", "b'1d6a811'").replace("12025550123", "b'12025550123'")
    line = line.replace("[from:Acme]", "[from:b'Acme']").replace("ESME_ROK", "CommandStatus.ESME_ROK")
    assert decode(line) == decode(SENT)


def test_what_the_message_says_is_not_read() -> None:
    line = SENT.replace(
        "Hi", "[status:ERROR/ESME_RSYSERR] [smpp-msgid:9]\nDLR [smpp-msgid:8] [status:UNDELIV]"
    )
    assert decode(line) == decode(SENT)


def test_a_line_in_a_log_shippers_json_is_read() -> None:
    assert decode(json.dumps({"@timestamp": "2026-07-17T12:00:00Z", "message": RECEIPT})) == decode(RECEIPT)


def test_another_prefix_of_the_logger_does_not_matter() -> None:
    assert decode("jasmin[1]: " + RECEIPT.partition("9476 ")[2]) == decode(RECEIPT)


@pytest.mark.parametrize("name", ["ESME_RTHROTTLED", "CommandStatus.ESME_RTHROTTLED"])
def test_a_refused_submission_goes_by_jasmins_own_id(name: str) -> None:
    r = decode(REFUSED.format(status=name, retry="False"))
    assert (r.message_id, r.code, status(r)) == ("b221e7e9", "ESME_RTHROTTLED", Status.FAILED)


def test_a_submission_that_is_tried_again_is_in_flight() -> None:
    r = decode(REFUSED.format(status="ESME_RTHROTTLED", retry="True"))
    assert (r.message_id, status(r)) == ("b221e7e9", Status.IN_FLIGHT)


@pytest.mark.parametrize("content", ["'STOP'", "b'id: is what I need, stat!'", "", "'stat:DELIVRD'"])
def test_an_inbound_message_is_inbound(content: str) -> None:
    assert status(decode(INBOUND.format(content=content))) is Status.INBOUND


@pytest.mark.parametrize("tail", ["", " [tlvs:]"])
@pytest.mark.parametrize("mark", ["'", "b'"])
def test_a_receipt_that_jasmin_took_for_an_inbound_message_is_a_receipt(mark: str, tail: str) -> None:
    # jookies/jasmin#447: six letters of stat
    text = "id:01216a sub:001 dlvrd:001 submit date:1608051046 done date:0000000000 stat:FAILED err:002 Text:"
    r = decode(INBOUND.format(content=f"{mark}{text}'") + tail)
    assert (r.message_id, r.status, r.code, status(r)) == ("1216A", "FAILED", "002", Status.UNDELIVERED)
    assert (r.to, r.sender, r.carrier) == ("+12025550123", "PDYBJP", "connector:rx4")


@pytest.mark.parametrize(
    "line",
    [
        "2020-10-29 10:39:05 ERROR    1268 [msgid:1101C1] (retrials: 1/2) DLRMapNotFound: Got a DLR for an"
        " unknown message id: 1101c1 (coded:1101C1)",
        "2017-06-01 11:45:23 DEBUG    1411 Sending SubmitSmPDU[ead99724] through SMPPClientFactory [cid:x]",
        "2016-12-02 11:57:31 WARNING  9476 Got a DLR for an unknown message id: 1d6a811 (coded:1D6A811)",
        # the HTTP API's own note of the same message (jookies/jasmin#643)
        "2017-12-23 00:46:39 INFO     5350 SMS-MT [uid:u1] [cid:x] [msgid:b036c3b7] [prio:0] [from:A] [to:1]"
        " [content:f1]",
    ],
)
def test_another_line_of_the_log_is_dropped_like_inbound_traffic(line: str) -> None:
    assert status(decode(line)) is Status.INBOUND


@pytest.mark.parametrize(
    "line, reason",
    [
        ("the second line of a message", Reason.BAD_RECEIPT),
        ("INFO 1 DLR [cid:x] [status:DELIVRD] [err:000]", Reason.MISSING_FIELD),
        ("INFO 1 DLR [cid:x] [smpp-msgid:1] [err:000]", Reason.MISSING_FIELD),
        ("INFO 1 SMS-MT [cid:x] [status:ESME_ROK]", Reason.MISSING_FIELD),
        ('{"@timestamp":"x"}', Reason.MISSING_FIELD),
        ('{"message":7', Reason.NOT_JSON),
        (b"\xff\xfe", Reason.BAD_RECEIPT),
    ],
)
def test_what_is_no_line_of_the_log_says_why(line: str | bytes, reason: Reason) -> None:
    r = decode(line)
    assert isinstance(r, Malformed) and r.reason is reason


@pytest.mark.parametrize("poison", ["[a:", "[a", "INFO  ", "DLR [", "DLR [cid:", "stat:id:", "[content:"])
def test_a_huge_line_costs_linear_time(poison: str) -> None:
    def cost_s(repeats: int) -> float:
        value = ("INFO 1 SMS-MO [from:1] " + poison * repeats).encode()
        start = time.process_time()
        decode(value)
        return time.process_time() - start

    # 16 times the size: far below the 256 times that a square would cost.
    assert cost_s(64_000) < 64 * max(cost_s(4_000), 0.001)
