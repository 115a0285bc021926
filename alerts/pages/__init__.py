"""The incident pages and their JSON: server-side, no script, the same facts in both.

    PageData, reviews -> handlers -> HTML, JSON
    forms, programs -> access -> acting -> incident-commands

`pages(read)` is a plug for the HTTP server of the alerts role; `read` hands out a snapshot.
"""

from alerts.pages.handlers import pages
from alerts.pages.posts import Desk
from alerts.pages.view import PageData

__all__ = ["Desk", "PageData", "pages"]
