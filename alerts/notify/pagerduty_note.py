"""A note on an incident at PagerDuty: `POST {api_url}/incidents/{id}/notes` of its REST API v2.

Source: PagerDuty REST API v2, "Create a note on an incident"; answers 201, needs the header `From` with
the e-mail address of a user of the account.
"""

from __future__ import annotations

from urllib.parse import quote

from alerts.notify import Accepted, InDoubt, Retry, SendResult
from alerts.notify.client import Client, refusal
from alerts.settings_routes import PagerDuty
from streams.records import encode

CREATED = 201
MOST_CHARACTERS = 20_000


async def add_note(settings: PagerDuty, pager_id: str, text: str) -> SendResult:
    """One attempt: a note that is in doubt is not sent again, or it would stand there twice."""
    url = f"{settings.api_url.rstrip('/')}/incidents/{quote(pager_id, safe='')}/notes"
    headers = {
        "Authorization": f"Token token={settings.api_token.reveal()}",
        "Accept": "application/vnd.pagerduty+json;version=2",
        "From": settings.api_from,
    }
    client = Client([settings.api_token])
    try:
        answer = await client.post(url, encode({"note": {"content": text[:MOST_CHARACTERS]}}), headers)
    finally:
        await client.close()
    if isinstance(answer, Retry | InDoubt):
        return answer
    return Accepted() if answer.status == CREATED else refusal(answer)
