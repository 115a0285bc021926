"""The forms in which the benchmark writes its outcomes: one template each, as providers write them."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

ACCOUNT = "AC" + "0" * 31 + "1"


class Columns(NamedTuple):
    """One batch of outcomes, column by column. `to` and `sender` are numbers without the plus."""

    ids: list[str]
    failed: list[bool]
    carrier: list[str]
    region: list[str]
    to: list[int]
    sender: list[str]
    received_ms: list[int]
    provider_ms: list[int]
    sent_ms: list[int]


class Form(NamedTuple):
    """One way to write a record."""

    format: str
    write: Callable[[Columns], list[str]]
    id_prefix: str = ""


def _canonical(c: Columns) -> list[str]:
    said = ('"delivered","code":null', '"undelivered","code":"30003"')
    return [
        f'{{"message_id":"{i}","status":{said[f]},"carrier":"{carrier}","region":"{region}","to":"+{to}",'
        f'"sender":"+{sender}","sent_time_ms":{sent},"provider_time_ms":{done}}}'
        for i, f, carrier, region, to, sender, _, done, sent in zip(*c, strict=True)
    ]


def _twilio_json(c: Columns) -> list[str]:
    error, word = ("", '"ErrorCode":"30003",'), ("delivered", "undelivered")
    return [
        f'{{"AccountSid":"{ACCOUNT}","ApiVersion":"2010-04-01",{error[f]}"From":"+{sender}",'
        f'"MessageSid":"{i}","SmsSid":"{i}","MessageStatus":"{word[f]}","SmsStatus":"{word[f]}",'
        f'"RawDlrDoneDate":"{_minute(done // 60_000)}","To":"+{to}",'
        f'"carrier":"{carrier}","region":"{region}"}}'
        for i, f, carrier, region, to, sender, _, done, _ in zip(*c, strict=True)
    ]


def _twilio_form(c: Columns) -> list[str]:
    error, word = ("", "&ErrorCode=30003"), ("delivered", "undelivered")
    return [
        f"AccountSid={ACCOUNT}&ApiVersion=2010-04-01{error[f]}&From=%2B{sender}&MessageSid={i}&SmsSid={i}"
        f"&MessageStatus={word[f]}&SmsStatus={word[f]}&RawDlrDoneDate={_minute(done // 60_000)}"
        f"&To=%2B{to}&carrier={carrier}&region={region}"
        for i, f, carrier, region, to, sender, _, done, _ in zip(*c, strict=True)
    ]


def _twilio_event(c: Columns) -> list[str]:
    error, word = ("", '"errorCode":30003,'), ("delivered", "undelivered")
    return [
        f'{{"specversion":"1.0","type":"com.twilio.messaging.message.{word[f]}","source":"{ACCOUNT}",'
        f'"id":"EZ{i[2:]}","datacontenttype":"application/json","data":{{"messageSid":"{i}",'
        f'"accountSid":"{ACCOUNT}","messageStatus":"{word[f].upper()}",{error[f]}'
        f'"timestamp":"{_second(done // 1000)}.{done % 1000:03}Z","from":"+{sender}","to":"+{to}",'
        f'"mcc":"310","mnc":"410","tags":{{"carrier":"{carrier}","region":"{region}"}}}}}}'
        for i, f, carrier, region, to, sender, _, done, _ in zip(*c, strict=True)
    ]


def _smpp_text(c: Columns) -> list[str]:
    dlvrd, end = ("001", "000"), ("stat:DELIVRD err:000", "stat:UNDELIV err:001")
    return [
        f"id:{i} sub:001 dlvrd:{dlvrd[f]} submit date:{_minute(sent // 60_000)} "
        f"done date:{_minute(done // 60_000)} {end[f]} text:"
        for i, f, done, sent in zip(c.ids, c.failed, c.provider_ms, c.sent_ms, strict=True)
    ]


def _smpp_envelope(c: Columns) -> list[str]:
    """The PDU's fields as JSON. A receipt's source address is the recipient of the message."""
    return [
        f'{{"short_message":"{text}","source_addr":"+{to}","destination_addr":"+{sender}","esm_class":4,'
        f'"carrier":"{carrier}","region":"{region}"}}'
        for text, to, sender, carrier, region in zip(
            _smpp_text(c), c.to, c.sender, c.carrier, c.region, strict=True
        )
    ]


@lru_cache(maxsize=4096)
def _minute(minute: int) -> str:
    """Minutes since the epoch as YYMMDDhhmm, UTC."""
    return time.strftime("%y%m%d%H%M", time.gmtime(minute * 60))


@lru_cache(maxsize=65_536)
def _second(second: int) -> str:
    """Seconds since the epoch as ISO 8601 without a zone, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


CANONICAL = Form("canonical", _canonical)
TWILIO_JSON = Form("twilio-status-callback", _twilio_json, "SM")
TWILIO_FORM = Form("twilio-status-callback", _twilio_form, "SM")
TWILIO_EVENT = Form("twilio-event-streams", _twilio_event, "SM")
SMPP_TEXT = Form("smpp-receipt", _smpp_text)
SMPP_ENVELOPE = Form("smpp-receipt", _smpp_envelope)
