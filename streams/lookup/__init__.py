"""Twilio Lookup beside the hot path: a thread that works off numbers without a carrier.

    hot path -> memory: known answers; numbers to ask for (bounded, failed ones first)
    thread   -> cache (Redis, by keyed hash) -> budget of the day -> Twilio, one number a request
Numbers are in clear in memory alone; Redis, logs and metrics never hold one.
"""
