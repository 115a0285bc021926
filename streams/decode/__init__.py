"""Decoders: a provider's record as bytes in, a `Reading` or a `Malformed` out, a file per format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from streams.decode.aws_sms import AwsSmsDecoder
from streams.decode.bandwidth import BandwidthDecoder
from streams.decode.bird import BirdDecoder
from streams.decode.canonical import CanonicalDecoder
from streams.decode.decoder import Decoder, Options
from streams.decode.infobip import InfobipDecoder
from streams.decode.jasmin_http import JasminHttpDecoder
from streams.decode.jasmin_log import JasminLogDecoder
from streams.decode.kannel import KannelDecoder
from streams.decode.plivo import PlivoDecoder
from streams.decode.sinch import SinchDecoder
from streams.decode.smpp_receipt import SmppReceiptDecoder
from streams.decode.telnyx import TelnyxDecoder
from streams.decode.twilio_event_streams import TwilioEventStreamsDecoder
from streams.decode.twilio_status_callback import TwilioStatusCallbackDecoder
from streams.decode.vonage import VonageDecoder
from streams.errors import ConfigError

__all__ = ["FORMATS", "Decoder", "Format", "Options", "format_of"]


class Format(NamedTuple):
    """One format: how to make its decoder, and the code profile of a source that names none."""

    decoder: Callable[[Options], Decoder]
    codes: str


FORMATS: Mapping[str, Format] = {
    "canonical": Format(CanonicalDecoder, "twilio"),
    "twilio-status-callback": Format(TwilioStatusCallbackDecoder, "twilio"),
    "twilio-event-streams": Format(TwilioEventStreamsDecoder, "twilio"),
    "smpp-receipt": Format(SmppReceiptDecoder, "twilio-smpp"),
    "jasmin-http": Format(JasminHttpDecoder, "twilio-smpp"),
    "jasmin-log": Format(JasminLogDecoder, "twilio-smpp"),
    "kannel": Format(KannelDecoder, "twilio-smpp"),
    "vonage": Format(VonageDecoder, "vonage"),
    "infobip": Format(InfobipDecoder, "infobip"),
    "sinch": Format(SinchDecoder, "sinch"),
    "aws-sms": Format(AwsSmsDecoder, "aws"),
    "bird": Format(BirdDecoder, "bird"),
    "plivo": Format(PlivoDecoder, "plivo"),
    "telnyx": Format(TelnyxDecoder, "telnyx"),
    "bandwidth": Format(BandwidthDecoder, "bandwidth"),
}


def format_of(name: str) -> Format:
    """The format of that name. Raises ConfigError that names the known ones."""
    if name not in FORMATS:
        raise ConfigError(f"format = '{name}': no such format; there are {', '.join(FORMATS)}")
    return FORMATS[name]
