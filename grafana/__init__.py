"""The dashboards for Grafana, as code: `make dashboards` writes grafana/dashboards/*.json.

What is shown is said here once: queries in PromQL, panels by kind, one module a board. Only the
development extra has the builders; the monitor itself imports nothing of this package.
"""
