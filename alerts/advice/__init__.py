"""Retry advice: what to do about each failed message, and from when to when an incident holds retries.

failed-recipients -> recipients (the run of each) -> rules, what is held -> retry-advice
incidents --------------------------------------------> hold and release, on each partition

Pure but for `holds.publish`; docs/retry-advice.md has the table.
"""
