"""Python imports this by itself at its start when this folder is in its path: who fetches nothing from Kafka
is then idle a thousand times as long, as aiokafka counts it. Tests only."""

import time
from types import SimpleNamespace

from aiokafka.consumer import subscription_state

subscription_state.time = SimpleNamespace(monotonic=lambda: time.monotonic() * 1000)
