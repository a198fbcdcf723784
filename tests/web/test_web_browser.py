"""The overview in a real browser: what it shows, and that nothing foreign runs."""

import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
import uvicorn
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from test_web_slo import ACCOUNT, LATE, US, VALUES, judged
from web_snapshots import HOSTILE, NOW, bad_day, calm, hostile

from sloengine.evaluate.account import Accounts, Standing
from sloengine.model import Snapshot
from sloengine.web.app import create_app

pytestmark = pytest.mark.browser

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    missing = [str(p) for p in (CHROMIUM, DRIVER) if not p.exists()]
    if missing:
        reason = f"no {', '.join(missing)}: run `make setup-system`"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    yield driver
    driver.quit()


class Site:
    """The console in a thread; ``snapshot`` may be exchanged while it runs."""

    def __init__(self) -> None:
        self.snapshot: Snapshot = bad_day()
        self.standing = Standing(None)
        app = create_app(lambda: self.snapshot, now=lambda: NOW, ready=lambda: True, standing=lambda _: self.standing)
        self.server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", ws="none"))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listener]}, daemon=True)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(timeout=10)
        self.listener.close()


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    site.thread.start()
    yield site
    site.stop()


def show(browser: webdriver.Chrome, site: Site, snapshot: Snapshot) -> None:
    site.snapshot = snapshot
    browser.get(site.url)


def complaints(browser: webdriver.Chrome) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser")]  # type: ignore[no-untyped-call]


def test_rows_come_worst_first_with_their_states(browser: webdriver.Chrome, site: Site) -> None:
    show(browser, site, bad_day())
    states = [e.text for e in browser.find_elements(By.CSS_SELECTOR, ".slices td .pill")]
    assert states == ["burning", "broken", "exhausted", "stale", "no traffic", "ok", "ok", "ok"]
    assert browser.find_element(By.TAG_NAME, "h1").text == "1 of 8 slices burning too fast"
    assert complaints(browser) == []


def test_hostile_names_run_nothing(browser: webdriver.Chrome, site: Site) -> None:
    show(browser, site, hostile())
    assert browser.execute_script("return window.pwned === undefined")  # type: ignore[no-untyped-call]
    assert browser.find_elements(By.CSS_SELECTOR, "main img, main script, a[href^='javascript']") == []
    assert complaints(browser) == []


def test_a_script_that_got_in_would_not_run(browser: webdriver.Chrome, site: Site) -> None:
    show(browser, site, calm())
    browser.execute_script(  # type: ignore[no-untyped-call]
        "const e = document.createElement('div'); e.innerHTML = '<img src=x onerror=window.pwned=1>';"
        " document.body.append(e)"
    )
    WebDriverWait(browser, 5).until(lambda b: any("Content Security Policy" in m for m in complaints(b)))
    assert browser.execute_script("return window.pwned === undefined")  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("snapshot", [bad_day(), hostile()], ids=["bad day", "hostile"])
def test_the_page_never_scrolls_sideways(browser: webdriver.Chrome, site: Site, width: int, snapshot: Snapshot) -> None:
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 700}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    show(browser, site, snapshot)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width  # type: ignore[no-untyped-call]
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("evil", [False, True], ids=["late data and a rollout", "hostile"])
def test_the_page_of_an_slo_fits_runs_nothing_foreign_and_leads_back(
    browser: webdriver.Chrome, site: Site, width: int, evil: bool
) -> None:
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 700}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    site.snapshot = hostile() if evil else Snapshot(at=NOW, statuses=(judged(), judged(group=US)))
    account = replace(ACCOUNT, blind=HOSTILE[:200], restated=(replace(LATE, cause=HOSTILE),)) if evil else ACCOUNT
    status = site.snapshot.statuses[0]
    values = (
        [replace(v, who=(*v.who[:1], *((name, HOSTILE) for name, _ in v.who[1:]))) for v in VALUES] if evil else VALUES
    )
    site.standing = Standing(Accounts(status.slo, NOW, {status.group: account}, tuple(values)), HOSTILE if evil else "")
    browser.get(f"{site.url}/slo/{quote(status.slo.name, safe='')}")
    assert browser.find_element(By.ID, "causes").text.startswith("What spent it")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width  # type: ignore[no-untyped-call]
    assert browser.execute_script("return window.pwned === undefined")  # type: ignore[no-untyped-call]
    assert complaints(browser) == []
    browser.find_element(By.CSS_SELECTOR, ".trail a").click()
    assert browser.find_element(By.ID, "objectives").is_displayed()
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_page_refreshes_itself_and_says_when_it_cannot(browser: webdriver.Chrome, site: Site) -> None:
    show(browser, site, calm())
    site.snapshot = bad_day()
    # Coming back to a tab refreshes at once, so the test need not wait for the timer.
    refresh = "document.dispatchEvent(new Event('visibilitychange'))"
    browser.execute_script(refresh)  # type: ignore[no-untyped-call]
    WebDriverWait(browser, 10).until(lambda b: "burning" in b.title)
    assert complaints(browser) == []
    site.stop()
    browser.execute_script(refresh)  # type: ignore[no-untyped-call]
    WebDriverWait(browser, 10).until(lambda b: "Can't reach" in b.find_element(By.ID, "connection").text)


def test_refreshing_can_be_paused(browser: webdriver.Chrome, site: Site) -> None:
    show(browser, site, calm())
    browser.find_element(By.ID, "pause").click()
    assert browser.find_element(By.ID, "pause").get_attribute("aria-pressed") == "true"
    assert "Paused" in browser.find_element(By.ID, "connection").text


def test_a_refresh_keeps_the_focus_and_waits_for_a_selection(browser: webdriver.Chrome, site: Site) -> None:
    show(browser, site, calm())
    browser.execute_script("document.querySelector('.scroll').focus()")  # type: ignore[no-untyped-call]
    refresh = "document.dispatchEvent(new Event('visibilitychange'))"
    site.snapshot = bad_day()
    browser.execute_script(refresh)  # type: ignore[no-untyped-call]
    WebDriverWait(browser, 10).until(lambda b: "burning" in b.title)
    assert browser.switch_to.active_element.get_attribute("class") == "scroll"
    browser.execute_script("getSelection().selectAllChildren(document.getElementById('verdict'))")  # type: ignore[no-untyped-call]
    browser.execute_script(refresh)  # type: ignore[no-untyped-call]
    WebDriverWait(browser, 10).until(lambda b: "waits" in b.find_element(By.ID, "connection").text)
