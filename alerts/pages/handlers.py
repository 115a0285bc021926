"""Routes, headers and templates of the incident pages."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from aiohttp import web
from markupsafe import Markup

from alerts import markup
from alerts.pages import filters, view
from alerts.pages.reviews import TYPES, Make, Reviews, answer
from alerts.pages.view import PageData
from streams.errors import MonitorError
from streams.http import Plug

TEMPLATES = markup.environment("alerts.pages")
TEMPLATES.filters["key_path"] = lambda key: quote(key, safe=":")
TEMPLATES.globals |= {"view": view}

STYLE = TEMPLATES.get_template("style.css").render()
HEADERS = markup.headers(markup.policy(STYLE, "self"))


def pages(read: Callable[[], PageData], runbook_url: str = "", make: Make | None = None) -> Plug:
    """The plug for the HTTP server. `read` is called by its thread, once a request; `make` makes reviews,
    without it there are none."""
    shown = _Pages(read, runbook_url, Reviews(make) if make else None)

    def plug(app: web.Application) -> None:
        app.router.add_get("/", shown.home)
        app.router.add_get("/incidents", shown.list)
        app.router.add_get("/incidents/{id}", shown.incident)
        app.router.add_get("/incidents/{id}/review", shown.review)
        app.router.add_get("/incidents/{id}/review.{kind}", shown.review)
        app.router.add_get("/api/v1/incidents", shown.list_api)
        app.router.add_get("/api/v1/incidents/{id}", shown.incident_api)
        app.router.add_get("/api/v1/silences", shown.silences_api)

    return plug


class _Pages:
    def __init__(self, read: Callable[[], PageData], runbook_url: str, reviews: Reviews | None) -> None:
        self._read, self._runbook_url, self._reviews = read, runbook_url, reviews

    async def home(self, _: web.Request) -> web.Response:
        raise web.HTTPFound("/incidents")

    async def list(self, request: web.Request) -> web.Response:
        data = self._read()
        shown = filters.shown(data.incidents, filters.Filter.of(request.query), data.display)
        return _html("incidents.html", data, 200, shown=shown, filters=filters)

    async def incident(self, request: web.Request) -> web.Response:
        data, key = self._read(), request.match_info["id"]
        incident = view.find(data, key)
        if incident is None:
            return _html("missing.html", data, 404, key=key)
        lines = view.timeline(incident, data.transitions.get(key, ()))
        more = {"runbook_url": self._runbook_url, "reviews": self._reviews is not None}
        return _html("incident.html", data, 200, incident=incident, lines=lines, **more)

    async def review(self, request: web.Request) -> web.Response:
        data, key, kind = self._read(), request.match_info["id"], request.match_info.get("kind", "html")
        incident = view.find(data, key)
        if incident is None or self._reviews is None or kind not in TYPES:
            return _html("missing.html", data, 404, key=key)
        try:
            made = await self._reviews.of(incident, data.incidents)
        except (MonitorError, TimeoutError) as e:
            why = str(e) or "reading the journal takes too long here, `incidents report` waits for it"
            return _html("unavailable.html", data, 503, incident=incident, why=why)
        return answer(made, kind, redact=request.query.get("redact") == "1")

    async def list_api(self, _: web.Request) -> web.Response:
        return web.json_response(view.list_json(self._read()), headers=HEADERS)

    async def incident_api(self, request: web.Request) -> web.Response:
        data, key = self._read(), request.match_info["id"]
        incident = view.find(data, key)
        if incident is None:
            return web.json_response({"error": f"no incident '{key}'"}, status=404, headers=HEADERS)
        return web.json_response(view.incident_json(data, incident), headers=HEADERS)

    async def silences_api(self, _: web.Request) -> web.Response:
        data = self._read()
        held = {"now_ms": data.now_ms, "silences": view.silences_json(data)}
        return web.json_response(held, headers=HEADERS)


def _html(template: str, data: PageData, status: int, **values: object) -> web.Response:
    text = TEMPLATES.get_template(template).render(data=data, style=Markup(STYLE), **values)
    return web.Response(text=text, status=status, content_type="text/html", headers=HEADERS)
