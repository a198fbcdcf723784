"""The console and the API over snapshots built by hand."""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from web_snapshots import HOSTILE, NOW, PAGE, bad_day, calm, episode, hostile, node, slo, status

from sloengine.model import BurnPolicy, BurnReading, Counts, Snapshot, State
from sloengine.web.app import create_app
from sloengine.web.view import NODES_MAX, SLICES_MAX, Limits, worst_first

EMPTY = Snapshot(at=None)
SAMPLED = Counts(good=1204.5, bad=20.25, good_squares=19_000.0, bad_squares=300.0)
ONE_PAIR = slo(policy=BurnPolicy("one", (PAGE,)))


class Tags(HTMLParser):
    """Collects every tag with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


class Client:
    """Requests to an application in this process; Starlette's own client asks for an HTTP library we don't have."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)

    def request(self, method: str, path: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
                return await client.request(method, path)

        return asyncio.run(ask())


def client(snapshot: Snapshot, *, ready: bool = True, after: timedelta = timedelta(0), **more: object) -> Client:
    app = create_app(lambda: snapshot, now=lambda: NOW + after, ready=lambda: ready, **more)  # type: ignore[arg-type]
    return Client(app)


def page(snapshot: Snapshot, path: str = "/", **options: object) -> str:
    answer = client(snapshot, **options).get(path)  # type: ignore[arg-type]
    assert answer.status_code == 200
    return answer.text


@pytest.mark.parametrize(
    ("name", "snapshot", "after", "verdict"),
    [
        ("no tick yet", EMPTY, 0, "Waiting for the first tick"),
        ("no objectives", Snapshot(at=NOW), 0, "No objectives yet"),
        ("all is well", calm(), 0, "All objectives within budget"),
        ("something burns", bad_day(), 0, "1 of 8 slices burning too fast"),
        ("the engine stopped: even a bad day is of the past", bad_day(), 3596, "Last judged 1h ago"),
        (
            "a query failed",
            Snapshot(at=NOW, statuses=(status(),), problems=("no answer",)),
            0,
            "The last tick had problems",
        ),
        ("spent", Snapshot(at=NOW, statuses=(status(State.EXHAUSTED), status())), 0, "1 of 2 slices out of budget"),
        ("silent", Snapshot(at=NOW, statuses=(status(State.STALE), status())), 0, "1 of 2 slices within budget"),
        ("a clock that runs ahead is not late", Snapshot(at=NOW + timedelta(hours=1)), 0, "No objectives yet"),
    ],
)
def test_the_headline_says_the_worst_that_is_true(name: str, snapshot: Snapshot, after: int, verdict: str) -> None:
    html = page(snapshot, after=timedelta(seconds=after))
    assert f'<h1 id="verdict">{verdict}</h1>' in html, name
    assert f"<title>{verdict} · sloengine</title>" in html


def test_slices_are_listed_worst_first() -> None:
    states = [s.state.value for s in worst_first(bad_day().statuses)]
    assert states == ["burning", "broken", "exhausted", "stale", "no traffic", "ok", "ok", "ok"]
    budgets = [s.budget_remaining for s in worst_first(bad_day().statuses)][-3:]
    assert budgets == sorted(budgets, key=lambda b: b or 0.0)


def test_every_figure_of_a_slice_is_on_the_page() -> None:
    html = page(bad_day())
    for text in (
        "99.52 %",
        "target 99.9 % over 30d",
        "coverage 99.87 %",
        "−379",
        "38.4× / 41.2×",
        "over 14.4×",
        "1,931 bad",
        "12 unknown",
        "edge-ml",
        'href="https://runbooks.example/digits"',
        "2.1.0",
        "no owner",
        "no runbook",
        "sloengine-9f2c1d0b7a6655443322-1",
        "2026-03-04 04:41:07 UTC",
        "12.3 ms",
        "±0.5 %",
        "never heard",
        "−1h 10m",
        "did not answer in 30 s",
    ):
        assert text in html, text


def test_sampled_figures_are_marked_and_counted_ones_are_not() -> None:
    guessed = status(counts=SAMPLED, interval=(0.975, 0.99125), versions=(("2", SAMPLED),))
    html = page(Snapshot(at=NOW, statuses=(guessed,)))
    for text in (
        "≈1,204 <span",
        "≈20 bad",
        "≈0 unknown",
        "sampled: 95 % sure of 97.5 % to 99.13 %",
        "≈20 bad of ≈1,225",
    ):
        assert text in html, text
    counted = page(bad_day())
    assert "≈" not in counted
    assert "sampled" not in counted


def test_a_burn_that_few_events_do_not_prove_is_not_shown_as_exceeded() -> None:
    sure = status(of=ONE_PAIR, burns=(38.4, 41.2))
    unsure = replace(sure.burns[0], sure=False)
    html = page(Snapshot(at=NOW, statuses=(sure,)))
    assert 'limit 14.4×: over the limit"' in html
    assert '<li class="exceeded"' in html
    html = page(Snapshot(at=NOW, statuses=(replace(sure, burns=(unsure,)),)))
    assert 'limit 14.4×: over the limit, but by too few events to be sure"' in html
    assert "exceeded" not in html


def test_where_nothing_bad_is_tolerated_the_page_counts_and_multiplies_nothing() -> None:
    never = slo("integrity", indicator="M10", target=1.0, zero_tolerance=True, policy=ONE_PAIR.policy)
    failed = status(State.EXHAUSTED, of=slo(), counts=Counts(500, 3), burns=(3.0, 1.0, 3.0, 1.0, 3.0, 1.0))
    burns = (BurnReading(never.policy.windows[0], 0.0, 3.0, 1.0),)
    html = page(Snapshot(at=NOW, statuses=(replace(failed, slo=never, burns=burns, budget_remaining=-2.0),)))
    assert "3 bad / 1 bad" in html
    assert "×" not in html
    assert "of the error budget left" not in html
    assert "target 100 %" in html


def test_failures_are_never_rounded_away() -> None:
    html = page(Snapshot(at=NOW, statuses=(status(counts=Counts(10**15, 1)),)))
    assert '<span class="figure">100 %</span>' not in html
    assert "&lt; 100 %" in html or "99.99999999 %" in html


@pytest.mark.parametrize("snapshot", [EMPTY, calm(), bad_day(), hostile()])
def test_pages_hold_no_inline_script_or_style(snapshot: Snapshot) -> None:
    tags = Tags()
    tags.feed(page(snapshot))
    assert [a for tag, a in tags.seen if tag == "script"] == [{"src": "/static/refresh.js", "defer": None}]
    assert "style" not in {tag for tag, _ in tags.seen}
    names = {name for _, attributes in tags.seen for name in attributes}
    assert not {n for n in names if n == "style" or n.startswith("on")}


def test_hostile_names_are_escaped_and_cut() -> None:
    html = page(hostile())
    assert "<script>window" not in html
    assert "<img src=x" not in html
    assert "&lt;script&gt;" in html
    assert "A" * 500 not in html
    assert "\u202e" not in html
    assert "\x00" not in html
    assert len(html) < 120_000
    assert "שלום" in html


@pytest.mark.parametrize(
    "runbook",
    ["javascript:alert(1)", "data:text/html,x", "//evil.example", "https://", "http://[", " javascript:x", "wiki page"],
)
def test_a_runbook_that_is_no_web_page_is_text(runbook: str) -> None:
    html = page(Snapshot(at=NOW, statuses=(status(of=slo(runbook=runbook)),)))
    assert "Runbook</a>" not in html


def test_long_lists_are_bounded_and_say_so() -> None:
    many = Snapshot(
        at=NOW,
        nodes=tuple(node(f"n{i:05d}", float(i)) for i in range(NODES_MAX + 1234)),
        statuses=tuple(status(group=(("model", f"m{i}"),)) for i in range(SLICES_MAX + 7)),
    )
    html = page(many)
    assert "1,234 more not shown" in html
    assert "7 more not shown" in html
    assert html.count("<tr role") == NODES_MAX + SLICES_MAX + 2
    assert "more not shown" not in page(many, "/?show=all")


def test_the_longest_silent_nodes_come_first() -> None:
    names = re.findall(r"<bdi>((?:sa-east|eu-north)-\d+)</bdi>", page(bad_day()))
    assert names[:3] == ["sa-east-009", "sa-east-004", "eu-north-059"]


@pytest.mark.parametrize("path", ["/", "/static/console.css", "/api/v1/slos", "/healthz", "/metrics", "/nowhere"])
def test_every_answer_carries_the_security_headers(path: str) -> None:
    answer = client(calm()).get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == ("no-cache" if "static" in path else "no-store")


def test_slos_of_the_api() -> None:
    answer = client(bad_day()).get("/api/v1/slos").json()
    worst = answer["slos"][0]
    assert answer["tick_age_s"] == 4
    assert len(answer["slos"]) == 8
    assert (worst["slo"], worst["state"], worst["slice"]) == (
        "digits-success",
        "burning",
        {"model": "digits", "region": "ap-south"},
    )
    assert worst["counts"] == {"good": 401_220, "bad": 1_931, "unknown": 12, "sampled": False}
    assert worst["window_s"] == 30 * 86400
    assert worst["burns"][0]["over"] is worst["burns"][0]["exceeded"] is True
    assert worst["versions"][0] == {"version": "2.1.0", "good": 210, "bad": 140, "unknown": 0, "sampled": False}
    assert answer["slos"][1]["sli"] is None


def test_whole_counts_of_the_api_are_integers_and_estimates_are_marked() -> None:
    counted = status(group=(("model", "a"),), counts=Counts(1000.0, 2.0, 0.0))
    guessed = status(group=(("model", "b"),), counts=SAMPLED, interval=(0.9, 0.99), effective=80.5)
    text = client(Snapshot(at=NOW, statuses=(counted, guessed))).get("/api/v1/slos").text
    found = {s["slice"]["model"]: s for s in json.loads(text)["slos"]}
    assert '"good":1000,"bad":2,"unknown":0,"sampled":false' in text
    assert found["b"]["counts"] == {"good": 1204.5, "bad": 20.25, "unknown": 0, "sampled": True}
    assert (found["a"]["interval"], found["a"]["effective"]) == (None, None)
    assert (found["b"]["interval"], found["b"]["effective"]) == ([0.9, 0.99], 80.5)


def test_alerts_of_the_api() -> None:
    answer = client(bad_day()).get("/api/v1/alerts").json()
    assert [a["firing"] for a in answer["alerts"]] == [True, False]
    assert answer["outbox"] == {"pending": 1, "sent": 41, "dead": 0}


def test_nodes_of_the_api() -> None:
    answer = client(bad_day(), limits=Limits(node=timedelta(seconds=30))).get("/api/v1/nodes").json()
    assert answer["stale_after_s"] == 30
    assert {n["device"]: n["stale"] for n in answer["nodes"]}["eu-north-029"] is True
    assert {n["device"]: n["stale"] for n in answer["nodes"]}["eu-north-003"] is False


@pytest.mark.parametrize("path", ["slos", "alerts", "nodes"])
@pytest.mark.parametrize("snapshot", [EMPTY, hostile()])
def test_the_api_answers_before_the_first_tick_and_with_hostile_names(path: str, snapshot: Snapshot) -> None:
    answer = client(snapshot).get(f"/api/v1/{path}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["at"] == (None if snapshot is EMPTY else "2026-03-04T05:06:07Z")


def test_openapi_describes_the_api() -> None:
    document = client(EMPTY).get("/api/v1/openapi.json").json()
    assert {
        *("/api/v1/slos", "/api/v1/slos/{name}", "/api/v1/alerts", "/api/v1/nodes"),
        *("/healthz", "/readyz", "/metrics"),
    } == set(document["paths"])
    assert {"SloSlice", "SloAnswer", "SpentBy", "Restated", "Missing"} <= set(document["components"]["schemas"])


@pytest.mark.parametrize(
    ("name", "snapshot", "ready", "code", "reason"),
    [
        ("ready", calm(), True, 200, "ready"),
        ("starting", EMPTY, False, 503, "no tick yet"),
        ("store away", bad_day(), False, 503, "did not answer"),
        ("unknown", calm(), False, 503, "not ready"),
    ],
)
def test_readiness_says_why_not(name: str, snapshot: Snapshot, ready: bool, code: int, reason: str) -> None:
    answer = client(snapshot, ready=ready).get("/readyz")
    assert answer.status_code == code, name
    assert answer.json()["ready"] is ready
    assert reason in answer.json()["reason"]


def test_health_needs_no_snapshot() -> None:
    def broken() -> Snapshot:
        raise RuntimeError("not now")

    app = create_app(broken, now=lambda: NOW, ready=lambda: False)
    assert Client(app).get("/healthz").text == "ok\n"


def test_further_routers_are_served() -> None:
    router = APIRouter()

    @router.post("/v1/traces")
    def traces() -> dict[str, str]:
        return {"took": "all"}

    assert client(EMPTY, routers=[router]).request("POST", "/v1/traces").json() == {"took": "all"}


def _values(text: str) -> dict[str, float]:
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line[:1] != "#"}


def test_metrics_of_a_snapshot() -> None:
    answer = client(bad_day()).get("/metrics")
    values = _values(answer.text)
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert values["sloengine_tick_duration_seconds"] == 0.412
    assert values["sloengine_tick_age_seconds"] == 4
    assert values['sloengine_alerts_firing{severity="page"}'] == 1
    assert values['sloengine_alerts_firing{severity="ticket"}'] == 0
    assert values['sloengine_outbox{status="claimed"}'] == 0
    assert values['sloengine_outbox{status="sent"}'] == 41
    assert values["sloengine_nodes_stale"] == 2
    labels = 'slo="digits-success",indicator="M1",service="digits",model="digits",region="ap-south"'
    assert values[f"sloengine_slo_budget_remaining{{{labels}}}"] == pytest.approx(-3.79, abs=0.01)


def test_metrics_say_nothing_about_what_is_not_known() -> None:
    text = client(EMPTY).get("/metrics").text
    assert {"sloengine_tick_age_seconds", "sloengine_tick_duration_seconds"}.isdisjoint(_values(text))
    assert "sloengine_slo_budget_remaining{" not in text


def test_metrics_escape_labels() -> None:
    evil = Snapshot(at=NOW, statuses=(status(group=(("model", 'a"b\\c\nd'),)),))
    assert 'model="a\\"b\\\\c\\nd"' in client(evil).get("/metrics").text


def test_metrics_may_come_from_elsewhere() -> None:
    assert client(EMPTY, metrics=lambda: "up 1\n").get("/metrics").text == "up 1\n"


@pytest.fixture
def fetch() -> Callable[[str], httpx.Response]:
    return client(bad_day()).get


def test_the_page_is_a_sound_document(fetch: Callable[[str], httpx.Response]) -> None:
    html = fetch("/").text
    assert html.lstrip().startswith("<!doctype html>")
    assert '<html lang="en">' in html
    assert html.count("<h1") == 1
    assert all('scope="' in h for h in re.findall(r"<th\b[^>]*>", html))
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'aria-labelledby="([^"]+)"', html)) <= set(ids)


def test_an_alert_without_labels_or_with_many_reads_well() -> None:
    many = episode("k", labels={f"l{i:02d}": str(i) for i in range(40)})
    html = page(Snapshot(at=NOW, episodes=(many, episode("bare", labels={"severity": "page"}))))
    assert "l15" in html
    assert "l16" not in html


def test_the_api_gives_names_in_full() -> None:
    answer = client(hostile()).get("/api/v1/nodes")
    assert json.loads(answer.text)["nodes"][0]["device"] == HOSTILE
