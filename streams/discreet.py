"""What aiohttp has to say of requests that went wrong, without what they held.

Its own messages quote the line that could not be parsed: a URL with a token, a body with a number. And
whoever sends nonsense would fill the log.
"""

from __future__ import annotations

import logging
import traceback

from aiohttp.http_exceptions import HttpProcessingError

EVERYDAY = (HttpProcessingError, ConnectionError)
"""Senders that speak no HTTP or go away: answered where they can be, and no news."""


class Discreet(logging.Filter):
    """Leaves the kind of an error and where it arose, never its words."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, EVERYDAY):
            return False
        where = "".join(traceback.format_tb(error.__traceback__)) if error else ""
        record.msg = (
            f"a request went wrong: {type(error).__name__}\n{where}" if error else "a request went wrong"
        )
        record.args, record.exc_info, record.exc_text = (), None, None
        return True


def discreet_logger() -> logging.Logger:
    """The logger to give to aiohttp's server."""
    logger = logging.getLogger("streams.requests")
    if not any(isinstance(f, Discreet) for f in logger.filters):
        logger.addFilter(Discreet())
    return logger
