"""Which ends of messages answer a send that is remembered, and which come alone.

Works on masks of what was seen of a message within the horizon (streams/dedupe.py), whole batches at a time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.fold import ANSWERED, OLD
from streams.source import FINAL_BITS, NEVER_SENT_BITS, SIGNAL_BIT, UNKNOWN_BIT

I64 = NDArray[np.int64]
Masks = NDArray[np.uint16]

IN_FLIGHT_BITS = np.uint16(UNKNOWN_BIT - 1 | SIGNAL_BIT)
"""The words of sending, not `unknown`."""
_FINAL = np.uint16(FINAL_BITS)
_WAITED_FOR = np.uint16(FINAL_BITS & ~NEVER_SENT_BITS)


def flags(before: Masks, stage: Masks) -> I64:
    """ANSWERED where send and end of a message are both known with this record; OLD where an end comes
    whose send is not remembered, unless it is one that comes before anything was sent; else 0."""
    sent, ended = (before & IN_FLIGHT_BITS) != 0, (before & _FINAL) != 0
    end, send = (stage & _FINAL) != 0, (stage & IN_FLIGHT_BITS) != 0
    both = np.where(end, sent & ~ended, ended & ~sent & send)
    alone = ~sent & ~ended & ((stage & _WAITED_FOR) != 0)
    return np.where(both, ANSWERED, np.where(alone, OLD, 0))


def flags_of_first(stage: Masks) -> I64:
    """The same where nothing was seen before."""
    return np.where((stage & _WAITED_FOR) != 0, OLD, 0)
