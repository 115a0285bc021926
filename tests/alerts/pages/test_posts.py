"""Acting over real HTTP: who may, what is refused, and that nothing is done twice or for another site."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence

import pytest

from alerts.pages.attempts import MOST_WRONG
from alerts.pages.reviews import Reviews
from alerts.records import Incident, People
from alerts.review.report import Review
from alerts.settings import Pages
from streams.commands import Command, Verdict, Via
from streams.settings import Secret
from tests.alerts.pages.desk import NOW_MS, OPEN_TO_ACT, TOKEN, Site, opened, resolved, served
from tests.alerts.review.reviews import whole

INCIDENT = opened()
PATH = f"/incidents/{INCIDENT.key}"
API = f"/api/v1{PATH}/commands"
NOTE = {"what": "note", "text": "ticket 4711"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def site() -> Iterator[Site]:
    with served(Site(INCIDENT, resolved())) as made:
        yield made


def act(site: Site, fields: dict[str, str], cookie: str = "", **headers: str) -> tuple[int, str]:
    cookie = cookie or site.sign_in()
    answer = site.post(
        PATH, {"form": site.form_token(PATH, Cookie=cookie)} | fields, Cookie=cookie, **headers
    )
    return answer.status, answer.headers.get("Location", answer.body)


def test_a_note_is_taken_down_with_who_wrote_it_and_is_on_the_page(site: Site) -> None:
    status, to = act(site, NOTE)
    assert (status, to) == (303, f"{PATH}?told=note&taken=1")
    (asked,) = site.asked
    assert (asked.author, asked.via, asked.text, asked.at_ms) == ("ann", Via.PAGE, "ticket 4711", NOW_MS)
    page = site.get(to).body
    assert "The note is on the incident." in page and "ticket 4711" in page


def test_acknowledgement_verdict_and_times_do_what_the_command_line_does(site: Site) -> None:
    cookie = site.sign_in("bob")

    def after(**fields: str) -> People:
        assert act(site, fields, cookie)[0] == 303
        return site.incidents[INCIDENT.key].people

    assert after(what="acknowledge", text="on it").acknowledged_by == "bob"
    assert not after(what="unacknowledge").acknowledged_ms
    judged = after(what="verdict", verdict="false")
    assert (judged.verdict, judged.verdict_by) == (Verdict.FALSE.value, "bob")
    set_time = {"what": "set_time", "name": "mitigated"}
    (time,) = after(**set_time, at="2023-11-14T23:00:00", text="rerouted").times
    assert (time.name, time.author, time.reason) == ("mitigated", "bob", "rerouted")
    assert after(**set_time, undo="1").times == ()


def test_a_time_that_runs_backwards_is_refused_and_what_was_written_is_not_lost(site: Site) -> None:
    early = {"what": "set_time", "name": "mitigated", "at": "2023-11-14T20:00:00", "text": "<b>rerouted"}
    status, body = act(site, early)
    assert status == 400 and "Mitigated would be before onset" in body
    assert "&lt;b&gt;rerouted" in body and site.asked == []


def test_the_same_form_sent_twice_is_one_command(site: Site) -> None:
    cookie = site.sign_in()
    for _ in range(2):
        assert act(site, NOTE | {"id": "0" * 32}, cookie)[0] == 303
    assert len(site.asked) == 2 and len({c.id for c in site.asked}) == 1
    assert len(site.incidents[INCIDENT.key].people.notes) == 1


def test_a_broker_that_does_not_take_it_is_a_503_with_the_text(site: Site) -> None:
    cookie = site.sign_in()
    token = site.form_token(PATH, Cookie=cookie)
    site.refuse("Kafka is not reached")
    answer = site.post(PATH, NOTE | {"form": token}, Cookie=cookie)
    assert answer.status == 503 and answer.headers["Retry-After"] == "5"
    assert "Kafka is not reached" in answer.body and "ticket 4711" in answer.body


def test_what_the_alerts_role_has_not_taken_up_is_said_to_be_written_down() -> None:
    class Slow(Site):
        async def tell(self, command: Command) -> None:
            self.asked.append(command)

    with served(Slow(INCIDENT)) as site:
        _, to = act(site, NOTE)
        assert to.endswith("taken=0") and "shown here once" in site.get(to).body


PROXIED = Pages(user_header="X-User", trusted_proxies="127.0.0.0/8", sign_in_to_read=True)
ELSEWHERE = Pages(user_header="X-User", trusted_proxies="10.0.0.0/8")


@pytest.mark.parametrize(("settings", "status"), [(Pages(), 403), (ELSEWHERE, 401)])
def test_without_a_token_or_a_proxy_that_is_known_everybody_reads_and_nobody_acts(
    settings: Pages, status: int
) -> None:
    with served(Site(INCIDENT), settings) as site:
        page = site.get(PATH, X_User="ann").body
        assert 'method="post"' not in page and "Sign in" not in page
        assert site.post(PATH, NOTE, X_User="ann").status == status
        assert site.post_json(API, NOTE, **BEARER).status == status
        assert site.post("/sign-in", {"name": "ann", "token": ""}).status == 403
        assert site.asked == []


def test_who_has_not_signed_in_is_shown_where_to(site: Site) -> None:
    page = site.get(PATH).body
    assert f'href="/sign-in?next={PATH.replace(":", "%3A")}"' in page and 'name="what"' not in page
    answer = site.post(PATH, NOTE)
    assert answer.status == 401 and "ticket 4711" in answer.body
    assert f'href="/sign-in?next={PATH.replace(":", "%3A")}"' in answer.body


def test_a_form_of_another_session_or_of_another_site_does_nothing(site: Site) -> None:
    ann, bob = site.sign_in("ann"), site.sign_in("bob")
    token = site.form_token(PATH, Cookie=bob)
    assert site.post(PATH, NOTE | {"form": token}, Cookie=ann).status == 403
    assert site.post(PATH, NOTE, Cookie=ann).status == 403
    for origin in ("https://evil.example", "null", "", f"{site.url}.evil.example"):
        assert act(site, NOTE, ann, Origin=origin)[0] == 403
    assert site.asked == []


def test_the_public_address_is_an_origin_of_ours() -> None:
    with served(Site(INCIDENT), public_url="https://sms.example.org/") as site:
        assert act(site, NOTE, Origin="https://sms.example.org")[0] == 303
        cookie = site.post("/sign-in", {"name": "ann", "token": TOKEN}).headers["Set-Cookie"]
        assert "Secure" in cookie


def test_the_cookie_is_for_this_site_and_no_script(site: Site) -> None:
    answer = site.post("/sign-in", {"name": "ann", "token": TOKEN, "next": PATH})
    assert answer.headers["Location"] == PATH and TOKEN not in answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(answer.headers["Set-Cookie"].split("; "))
    for elsewhere in (
        "https://evil.example",
        "//evil.example",
        "/incidents\\@evil",
        "/metrics",
        "/incidents/a b",
    ):
        answer = site.post("/sign-in", {"name": "ann", "token": TOKEN, "next": elsewhere})
        assert answer.headers["Location"] == "/incidents"


def test_a_session_ends_with_its_time_its_token_and_signing_out(site: Site) -> None:
    cookie = site.sign_in()
    assert "Sign out" in site.get(PATH, Cookie=cookie).body
    out = site.post("/sign-out", {"form": site.form_token(PATH, Cookie=cookie)}, Cookie=cookie)
    assert out.status == 303 and 'carrier_health_session=""' in out.headers["Set-Cookie"]
    assert site.post("/sign-out", {}, Cookie=cookie).status == 403
    site.now_ms += 12 * 3_600_000
    assert "Sign out" not in site.get(PATH, Cookie=cookie).body
    with served(Site(INCIDENT), Pages(token=Secret("another-token-of-the-pages"))) as other:
        assert "Sign out" not in other.get(PATH, Cookie=cookie).body


def test_wrong_tokens_are_few(site: Site) -> None:
    for _ in range(MOST_WRONG):
        assert site.post("/sign-in", {"name": "ann", "token": "guess"}).status == 403
    answer = site.post("/sign-in", {"name": "ann", "token": TOKEN})
    assert answer.status == 429 and int(answer.headers["Retry-After"]) == 60
    assert site.get("/incidents", Authorization=f"Bearer {TOKEN}").status == 429
    site.now_ms += 60_000
    assert site.post("/sign-in", {"name": "ann", "token": TOKEN}).status == 303


def test_a_name_is_needed_and_holds_no_number(site: Site) -> None:
    assert "the name is empty" in site.post("/sign-in", {"name": " ", "token": TOKEN}).body.lower()
    act(site, NOTE, site.sign_in("ann +12025550123"))
    assert "2025550123" not in site.asked[0].author


def test_a_proxy_that_is_known_says_who_acts() -> None:
    with served(Site(INCIDENT), PROXIED) as site:
        user = {"X-User": "carol"}
        assert site.get(PATH).status == 403 and INCIDENT.key not in site.get("/incidents").body
        assert site.get("/api/v1/incidents").status == 401
        token = site.form_token(PATH, **user)
        assert site.post(PATH, NOTE | {"form": token}, **user).status == 303
        assert site.asked[0].author == "carol"
        assert site.post_json(API, NOTE, **user).status == 403, "a browser says from where it sends"
        assert site.post_json(API, NOTE, Origin=site.url, **user).status == 202


def test_reading_may_need_the_token_too() -> None:
    closed = Pages(token=OPEN_TO_ACT.token, sign_in_to_read=True)
    with served(Site(INCIDENT), closed) as site:
        for path in ("/incidents", PATH, f"{PATH}/review", f"{PATH}/review.json"):
            answer = site.get(path)
            assert answer.status == 401 and "twilio_30003" not in answer.body.replace(path, "")
            assert site.get(path, Cookie=site.sign_in()).status == 200
        for path in ("/api/v1/incidents", f"/api/v1{PATH}", "/api/v1/silences"):
            assert site.get(path).status == 401 and site.get(path, **BEARER).status == 200
        assert "One moment" in site.get(PATH, Sec_Fetch_Site="cross-site").body
        assert site.get("/healthz").status == 200


def test_a_program_asks_with_the_token_and_names_who(site: Site) -> None:
    answer = site.post_json(API, NOTE | {"author": "bot"}, **BEARER)
    assert answer.status == 202 and json.loads(answer.body) == {"id": site.asked[0].id, "taken": True}
    assert site.asked[0].author == "bot"
    for body, status in (
        (NOTE, 400),
        ([], 400),
        ({"what": 1}, 400),
        (NOTE | {"author": "x", "what": "?"}, 400),
    ):
        refused = site.post_json(API, body, **BEARER)
        assert refused.status == status and json.loads(refused.body)["error"]
    assert site.post_json(API, NOTE | {"author": "x"}).status == 401
    assert site.post_json(API, NOTE, Authorization="Bearer wrong").status == 403
    unknown = site.post_json("/api/v1/incidents/none/commands", NOTE | {"author": "x"}, **BEARER)
    assert unknown.status == 404 and len(site.asked) == 1


def test_what_is_too_large_or_no_form_is_refused(site: Site) -> None:
    cookie = site.sign_in()
    assert act(site, {"what": "note", "text": "x" * 40_000}, cookie)[0] == 413
    assert act(site, {"what": "note", "text": "é" * 2_000}, cookie)[0] == 303
    assert site.post(PATH, {f"f{i}": "" for i in range(30)}, Cookie=cookie).status == 400
    assert site.post(PATH, {}, Cookie=cookie, Content_Type="multipart/form-data").status == 415


async def test_an_incident_s_page_does_not_wait_for_the_journal() -> None:
    going = asyncio.Event()

    async def slow(one: Incident, known: Sequence[Incident]) -> Review:
        await going.wait()
        return whole(one)

    reviews = Reviews(slow)
    assert await reviews.soon(INCIDENT, (), within_s=0.01) is None
    going.set()
    made = await reviews.soon(INCIDENT, (), within_s=5)
    assert made is not None
    going.clear()
    newer = opened(seq=99)
    assert await reviews.soon(newer, (), within_s=0.01) is made, "better an old one than none"
    going.set()
    assert await reviews.soon(newer, (), within_s=5) is not made
