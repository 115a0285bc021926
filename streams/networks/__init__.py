"""Mobile networks by MCC and MNC: which brand they belong to, under which names it goes.

A small table of our own (`networks.csv`) with the large operators, over which a user may lay rows.
"""

from streams.networks.table import Networks, built_in, networks_of

__all__ = ["Networks", "built_in", "networks_of"]
