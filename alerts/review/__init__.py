"""The review of an incident: evidence, timeline, impact, report, what was alike, the week. Pure.

`windows`, `incidents`, `incident-events` -> collect -> onset, timeline, impact -> report
"""
