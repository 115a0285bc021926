"""A time on the command line: ISO 8601 or epoch milliseconds."""

from __future__ import annotations

import click

from streams.decode.times import MAX_MS, epoch_ms


class When(click.ParamType):
    """Converts to epoch ms."""

    name = "T"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        ms = int(text) if text.isascii() and text.isdecimal() else epoch_ms(text)
        if ms is None or ms > MAX_MS:
            self.fail(f"'{text}' is neither ISO 8601 nor epoch ms", param, ctx)
        return ms
