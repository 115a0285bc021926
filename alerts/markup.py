"""What the templates of pages and of reports share: filters, and what a browser may do with the result."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import jinja2

from alerts import wording

FILTERS = {
    "clock": wording.clock,
    "iso": wording.iso,
    "number": wording.number,
    "percent": wording.percent,
    "span": wording.span,
    "words": wording.words,
}


def environment(package: str, *, autoescape: bool = True, **more: Any) -> jinja2.Environment:
    """The templates of a package; a name that is not given is an error, not an empty text."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader(package, "templates"),
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        **more,
    )
    made.filters |= FILTERS
    return made


def policy(style: str, form_action: str) -> str:
    """The Content-Security-Policy of a page with no style but `style`, no script, nothing from elsewhere."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    source = f"style-src 'sha256-{digest}'"
    return f"default-src 'none'; {source}; base-uri 'none'; form-action '{form_action}'"


def headers(content_policy: str) -> dict[str, str]:
    """The headers of a page that no other may frame, and nobody keeps."""
    return {
        "Content-Security-Policy": f"{content_policy}; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
