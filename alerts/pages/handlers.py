"""Routes of the incident pages, and what each is made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from alerts.pages import acting, filters, view
from alerts.pages.access import Access
from alerts.pages.entry import Entry
from alerts.pages.html import HEADERS, html, refused
from alerts.pages.posts import NOBODY, Desk, Posts
from alerts.pages.refusal import Refusal
from alerts.pages.reviews import TYPES, Make, Reviews, answer
from alerts.pages.view import PageData
from alerts.review import render
from streams.errors import MonitorError
from streams.http import Plug

ID = "{id:[^/]+}"
"""Keys hold what users call a region, which may be anything; a slash is escaped."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def pages(
    read: Callable[[], PageData],
    runbook_url: str = "",
    make: Make | None = None,
    make_quick: Make | None = None,
    desk: Desk = NOBODY,
) -> Plug:
    """The plug for the HTTP server. `read` is called by its thread, once a request; `make` makes reviews,
    `make_quick` what the page of an incident shows of it: without them there are none."""
    access = Access(desk.settings, desk.public_url, desk.now_ms)
    quick = Reviews(make_quick) if make_quick else None
    shown = _Pages(read, runbook_url, Reviews(make) if make else None, quick, access)
    posts, entry = Posts(read, access, desk, quick), Entry(access)

    def refusing(handler: Handler) -> Handler:
        async def handled(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except Refusal as refusal:
                return refused(request, refusal)

        return handled

    def guarded(handler: Handler) -> Handler:
        async def handled(request: web.Request) -> web.StreamResponse:
            return await handler(request) if access.reads(request) else entry.closed(request)

        return refusing(handled)

    def plug(app: web.Application) -> None:
        app.router.add_get("/", shown.home)
        app.router.add_get("/incidents", guarded(shown.list))
        app.router.add_get(f"/incidents/{ID}", guarded(shown.incident))
        app.router.add_get(f"/incidents/{ID}/review", guarded(shown.review))
        app.router.add_get(f"/incidents/{ID}/review.{{kind}}", guarded(shown.review))
        app.router.add_get("/api/v1/incidents", guarded(shown.list_api))
        app.router.add_get(f"/api/v1/incidents/{ID}", guarded(shown.incident_api))
        app.router.add_get("/api/v1/silences", guarded(shown.silences_api))
        app.router.add_post(f"/incidents/{ID}", refusing(posts.form))
        app.router.add_post(f"/api/v1/incidents/{ID}/commands", refusing(posts.program))
        app.router.add_get("/sign-in", refusing(entry.ask))
        app.router.add_post("/sign-in", refusing(entry.sign_in))
        app.router.add_post("/sign-out", refusing(entry.sign_out))

    return plug


class _Pages:
    def __init__(
        self,
        read: Callable[[], PageData],
        runbook_url: str,
        reviews: Reviews | None,
        quick: Reviews | None,
        access: Access,
    ) -> None:
        self._read, self._runbook_url, self._access = read, runbook_url, access
        self._reviews, self._quick = reviews, quick

    async def home(self, _: web.Request) -> web.Response:
        raise web.HTTPFound("/incidents")

    async def list(self, request: web.Request) -> web.Response:
        data = self._read()
        shown = filters.shown(data.incidents, filters.Filter.of(request.query), data.display)
        return self._html(request, "incidents.html", data, shown=shown)

    async def incident(self, request: web.Request) -> web.Response:
        data, key = self._read(), request.match_info["id"]
        incident = view.find(data, key)
        if incident is None:
            return self._missing(request, data, key)
        review = await self._quick.soon(incident, data.incidents) if self._quick else None
        return self._html(
            request,
            "incident.html",
            data,
            incident=incident,
            review=review,
            figures=render.figures(review) if review else [],
            making=self._quick is not None and review is None,
            lines=[] if review else view.timeline(incident, data.transitions.get(key, ())),
            runbook_url=self._runbook_url,
            reviews=self._reviews is not None,
            notice=acting.notice(request.query),
        )

    async def review(self, request: web.Request) -> web.Response:
        data, key, kind = self._read(), request.match_info["id"], request.match_info.get("kind", "html")
        incident = view.find(data, key)
        if incident is None or self._reviews is None or kind not in TYPES:
            return self._missing(request, data, key)
        try:
            made = await self._reviews.of(incident, data.incidents)
        except (MonitorError, TimeoutError) as e:
            why = str(e) or "reading the journal takes too long here, `incidents report` waits for it"
            return self._html(request, "unavailable.html", data, 503, incident=incident, why=why)
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

    def _missing(self, request: web.Request, data: PageData, key: str) -> web.Response:
        return self._html(request, "missing.html", data, 404, key=key)

    def _html(
        self, request: web.Request, template: str, data: PageData, status: int = 200, **values: object
    ) -> web.Response:
        live = request.query.get("live") == "1"
        return html(template, self._access.visitor(request), status, data=data, live=live, **values)
