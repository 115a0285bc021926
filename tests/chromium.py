"""Headless Chromium for tests: that of the machine, with a profile of its own, which sees one site alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Route, sync_playwright

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WITHIN_MS = 30_000


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser. Root may not use Chromium's sandbox."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), chromium_sandbox=os.geteuid() != 0, args=FLAGS
        )
        yield browser
        browser.close()


class Tab:
    """A tab in a profile of its own, and whatever went wrong in it."""

    def __init__(
        self,
        browser: Browser,
        url: str,
        size: Any = DESKTOP,
        scheme: Literal["light", "dark"] = "light",
        script: bool = True,
    ) -> None:
        self.url, self.wrong = url, list[str]()
        self._context = browser.new_context(viewport=size, color_scheme=scheme, java_script_enabled=script)
        self._context.set_default_timeout(WITHIN_MS)
        self._context.route(lambda address: not address.startswith(f"{url}/"), self._elsewhere)
        self.page: Page = self._context.new_page()
        self.page.on(
            "console", lambda m: self.wrong.append(m.text) if m.type in ("error", "warning") else None
        )
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: (self.wrong.append("a dialog"), dialog.dismiss()))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(message.text)

    def _asked(self, dialog: Dialog) -> None:
        self.wrong.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _elsewhere(self, route: Route) -> None:
        self.wrong.append(f"asked elsewhere: {route.request.url}")
        route.abort()

    def open(self, path: str) -> int:
        """The status of the answer."""
        answer = self.page.goto(self.url + path)
        assert answer is not None
        return answer.status

    def sign_in(self, token: str, name: str = "ann", path: str = "/incidents") -> None:
        self.open(f"/sign-in?next={path}")
        self.page.get_by_label("Your name").fill(name)
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("button", name="Sign in").click()

    @property
    def text(self) -> str:
        return self.page.locator("body").inner_text()

    @property
    def overflows(self) -> bool:
        """Whether one must scroll sideways."""
        wide: bool = self.page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )
        return wide

    def violations(self, without: Sequence[str] = ()) -> list[str]:
        """What axe finds wrong, of any severity; `without` are rules that it leaves out."""
        rules = {rule: {"enabled": False} for rule in without}
        found = Axe().run(self.page, options={"rules": rules, "resultTypes": ["violations"]})
        return [
            f"{v['id']} ({v['impact']}): {v['help']}: {[n['html'][:120] for n in v['nodes'][:3]]}"
            for v in found.response["violations"]
        ]

    def close(self) -> None:
        self._context.close()
