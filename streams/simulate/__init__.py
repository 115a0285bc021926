"""A believable network with labelled incidents, written as the providers' own formats.

    scenario -> network (draws) -> traffic (order, repeats) -> ledger (truth) -> encode -> feed

The ledger knows what each record was meant to be, before it was encoded. No product code imports it.
"""
