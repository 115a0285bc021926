"""Python imports this by itself at its start when this folder is in its path: the wall clock of the process
is then off by as many seconds as a file says, which may change while it runs. Tests only.

What C code asks for by itself (librdkafka's own time of a record) does not step.
"""

import os
import time

_REAL_NS = time.time_ns
_PATH = os.environ["CARRIER_HEALTH_TEST_CLOCK"]


def _off_ns() -> int:
    try:
        with open(_PATH, encoding="utf-8") as file:
            return int(float(file.read() or 0) * 1e9)
    except FileNotFoundError:
        return 0


def _stepped_ns() -> int:
    return _REAL_NS() + _off_ns()


def _stepped() -> float:
    return _stepped_ns() / 1e9


time.time_ns, time.time = _stepped_ns, _stepped
