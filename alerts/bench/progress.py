"""How far the benchmark is, on stderr: one line that changes on a terminal, plain lines otherwise."""

from __future__ import annotations

import sys
import time

import click

_EVERY_S = 5.0
_EVERY_ON_TERMINAL_S = 0.2


class Progress:
    """Shows rate and time left of one step after the other."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._every_s = _EVERY_ON_TERMINAL_S if self._terminal else _EVERY_S
        self._what = ""

    def begin(self, what: str) -> None:
        self.finish()
        self._what, self._shown = what, time.monotonic()
        self._first: tuple[int, float] | None = None
        self._say(f"{what} ...")

    def update(self, done: int, total: int) -> None:
        """The rate counts from the first sign of work: how long a start takes says nothing of it."""
        now = time.monotonic()
        if not done:
            return
        begun, at = self._first = self._first or (done, now)
        if now - self._shown < self._every_s or done == begun:
            return
        self._shown = now
        rate = (done - begun) / (now - at)
        left_s = max(total - done, 0) / rate
        self._say(f"{self._what}: {done:,} of {total:,}, {rate:,.0f}/s, {left_s:.0f} s left")

    def finish(self) -> None:
        """Leaves the terminal with a line of its own."""
        if self._terminal and self._what:
            click.echo("\r\033[K", err=True, nl=False)
        self._what = ""

    def _say(self, line: str) -> None:
        click.echo(f"\r{line}\033[K" if self._terminal else line, err=True, nl=not self._terminal)
