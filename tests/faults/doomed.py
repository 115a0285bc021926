"""The alerts role, which kills itself with SIGKILL at a named step of sending one kind of page.

    before_post -> [POST] -> after_post -> [record] -> after_record

`python -m tests.faults.doomed CONFIG STEP ACTION CAP_S`; STEP `never` only runs it. CAP_S is the longest
backoff: with one second instead of sixty, a minute is an hour.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

from alerts import desk
from alerts.app import run_alerts
from alerts.notify import SendResult
from alerts.notify.pagerduty import PagerDuty
from alerts.records import Delivery, Page
from alerts.settings import load
from alerts.station import Station

BEFORE_POST, AFTER_POST, AFTER_RECORD, NEVER = "before_post", "after_post", "after_record", "never"
STEPS = (BEFORE_POST, AFTER_POST, AFTER_RECORD)


def die_at(step: str, action: str) -> None:
    """Puts the end of the process into the way of pages."""
    send, record = PagerDuty.send, Station.record

    def end_at(here: str, now: str) -> None:
        if (here, now) == (step, action):
            os.kill(os.getpid(), signal.SIGKILL)

    async def doomed_send(self: PagerDuty, page: Page) -> SendResult:
        end_at(BEFORE_POST, page.action)
        result = await send(self, page)
        end_at(AFTER_POST, page.action)
        return result

    async def doomed_record(self: Station, delivery: Delivery) -> None:
        await record(self, delivery)
        end_at(AFTER_RECORD, delivery.action)

    patched: Any = PagerDuty
    patched.send = doomed_send
    patched = Station
    patched.record = doomed_record


def main(config: str, step: str, action: str, cap_s: str) -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    desk.BACKOFF_CAP_S = float(cap_s)
    die_at(step, action)
    run_alerts(load(Path(config)))


if __name__ == "__main__":
    main(*sys.argv[1:])
