"""Templates, style and headers of the pages."""

from __future__ import annotations

from aiohttp import web
from markupsafe import Markup

from alerts import markup
from alerts.pages import acting, filters, view
from alerts.pages.access import Visitor
from alerts.pages.refusal import Refusal
from alerts.review import render, telling

TEMPLATES = markup.environment("alerts.pages")
TEMPLATES.filters["precise"] = telling.precise
TEMPLATES.globals |= {"acting": acting, "filters": filters, "telling": telling, "view": view}

STYLE = TEMPLATES.get_template("style.css").render() + render.CHART_STYLE
HEADERS = markup.headers(markup.policy(STYLE, "self")) | {"Referrer-Policy": "same-origin"}
"""Under `no-referrer` a browser sends forms with the origin `null`, which may be anybody's (Fetch, 3.1)."""


def html(template: str, visitor: Visitor, status: int = 200, **values: object) -> web.Response:
    text = TEMPLATES.get_template(template).render(visitor=visitor, style=Markup(STYLE), **values)
    return web.Response(text=text, status=status, content_type="text/html", headers=HEADERS)


def refused(request: web.Request, refusal: Refusal) -> web.Response:
    """As JSON to programs, as a page to people."""
    if request.path.startswith("/api/"):
        made = web.json_response({"error": refusal.why}, status=refusal.status, headers=HEADERS)
    else:
        path = request.rel_url.raw_path
        back = path if path.startswith("/incidents/") else "/incidents"
        unknown = refusal.status == 401
        said = {"why": refusal.why, "back": back, "text": refusal.text, "unknown": unknown}
        made = html("refused.html", Visitor(), refusal.status, **said)
    if refusal.status == 401:
        made.headers["WWW-Authenticate"] = "Bearer"
    return not_before(refusal, made)


def not_before(refusal: Refusal, made: web.Response) -> web.Response:
    """The answer, with when to come again where the refusal says it."""
    if refusal.retry_after_s:
        made.headers["Retry-After"] = str(refusal.retry_after_s)
    return made
