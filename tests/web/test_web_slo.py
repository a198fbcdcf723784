"""The page of one SLO and its API: every figure on it, nothing hidden when the store is away, nothing foreign run."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_web_app import EMPTY, SAMPLED, Client, Tags, client
from web_snapshots import HOSTILE, NOW, bad_day, hostile, slo, status

from sloengine.evaluate.account import Account, Accounts, Excluded, Known, Restatement, Standing
from sloengine.evaluate.attribution import Attribution, Spent
from sloengine.evaluate.evidence import Cause
from sloengine.evaluate.quantiles import Asked, Quantile, Quantiles
from sloengine.model import Budget, Calendar, Counts, Selector, Sli, Snapshot, Source, State, Status, Weighting
from sloengine.web.app import create_app
from sloengine.web.places import group_of, slice_text, slo_page
from sloengine.web.slo_budget import budget_rows

HOUR = timedelta(hours=1)
EU = (("model", "digits"), ("region", "eu-north"))
US = (("model", "digits"), ("region", "us-west"))
PROMISE = slo(reserve=0.25, display_name="Digits answered")
COUNTS = Counts(99_920, 80, 5)
HOURS = tuple(NOW.replace(minute=0, second=0) - n * HOUR for n in (3, 2))
ATTRIBUTION = Attribution(
    EU,
    NOW - timedelta(days=30),
    NOW,
    80.0,
    100.0,
    (
        Spent(
            Cause.ROLLOUT,
            60.0,
            0.6,
            "version 2 by rollout r-42 in eu-north: 10.00% bad against 0.10% without it",
            HOURS,
        ),
        Spent(Cause.UNEXPLAINED, 20.0, 0.2, "normal level, or no evidence; not measured: drift", HOURS),
    ),
    {Cause.ROLLOUT: ("edge.rollout.id",), Cause.CONNECTIVITY: ("nodes.heard",), Cause.DRIFT: ()},
)
LATE = Restatement(HOURS[0], "arrival", 12, Counts(90, 1), Counts(190, 31), HOURS[1], NOW)
ACCOUNT = Account(
    ATTRIBUTION,
    (Excluded("sunday-maintenance", "gateways are updated", ((NOW - HOUR, NOW - HOUR / 2),)),),
    (LATE,),
    Known(Counts(99_820, 50), 0.9995, 0.5),
)


def judged(**changes: object) -> Status:
    values: dict[str, object] = {
        "group": EU,
        "counts": COUNTS,
        "interval": (0.999, 0.99935),
        "effective": 100_000.0,
        "budget": Budget(100.0, 80.0, 0.2, 518.4, timedelta(hours=50), 0.25),
        "budget_remaining": 0.2,
        "window_start": NOW - timedelta(days=30),
        "window_end": NOW,
        "excluded": Counts(900, 100),
    }
    return status(of=PROMISE, **{**values, **changes})  # type: ignore[arg-type]


def known(account: Account = ACCOUNT, problem: str = "") -> Standing:
    return Standing(Accounts(PROMISE, NOW, {EU: account}), problem)


QUICK, BUSY = Asked("span_quantiles", "infer", "0.05"), Asked("saturation_quantiles", "system.cpu.utilization", "0.8")
VALUES = (
    Quantiles(
        QUICK,
        (("service", "digits"), ("model", "digits"), ("version", "2.1.0")),
        (Quantile(0.5, 0.0123, 0.0119, 0.0131), Quantile(0.95, 0.048, 0.045, 0.06), Quantile(0.99, 0.09, 0.07, None)),
        sampled=True,
        effective=812.4,
        unweighted=7,
    ),
    Quantiles(
        QUICK, (("service", "digits"), ("model", "wakeword"), ("version", "9")), (Quantile(0.5, 7.0, None, 8.0),)
    ),
    Quantiles(
        BUSY,
        (("service", "digits"), ("region", "eu-north"), ("gateway", "gw"), ("device", "camera-7")),
        tuple(Quantile(share, value, None, None) for share, value in ((0.5, 0.31), (0.95, 0.79), (0.99, 0.957))),
        above=0.0412,
    ),
)


def site(*statuses: Status, standing: Standing | None = None, **more: object) -> Client:
    return client(Snapshot(at=NOW, statuses=statuses), standing=lambda _: standing or known(), **more)


def page(
    *statuses: Status, path: str = "/slo/digits-success", code: int = 200, standing: Standing | None = None
) -> str:
    answer = site(*statuses, standing=standing).get(path)
    assert answer.status_code == code
    assert answer.headers["content-type"].startswith("text/html")
    return answer.text


class Text(HTMLParser):
    """What a reader sees, in one line."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def __str__(self) -> str:
        return " ".join(" ".join(self.parts).split())


def test_every_figure_of_an_slo_is_on_its_page() -> None:
    text = str(Text(page(judged(), judged(group=US))))
    for words in (
        "Digits answered: ok",
        "95 % sure of 99.9 % to 99.935 %",
        "99,920 good, 80 bad, 5 unknown",
        "99.9 % over 30d",
        "rolling, 2026-02-02 05:06 to 2026-03-04 05:06 UTC",
        "20 %",
        "2d 2h at the present burn",
        "ratio of valid events 0.1 % 0.08 % 0.02 %",
        "events bad events 100 80 20",
        "time of everything failing 43m 12s 34m 34s 8m 38s",
        "share of the budget 100 % 80 % 20 %",
        "25.0 % of the budget set aside for rollouts 60.0 % spent, overspent",
        "75.0 % of the budget for everything else 20.0 % spent",
        "rollout 60 60.0 % 2 version 2 by rollout r-42 in eu-north: 10.00% bad against 0.10% without it",
        "unexplained 20 20.0 % – normal level",
        "connectivity 0 – – nothing found in nodes.heard",
        "drift – – – not measured",
        "1h and 5m page 0.2× 0.1× 14.4× within",
        "as first known 99.949 % 99,820 good, 50 bad; 50 % of the budget left",
        "as corrected 99.92 % 99,920 good, 80 bad, 5 unknown; 20 % of the budget left",
        "2026-03-04 02:00 arrival , 12 minutes 90 good, 1 bad 190 good, 31 bad 2026-03-04 05:06",
        "counted 99.92 %",
        "with what is excluded 99.82 % 100,820 good, 180 bad",
        "sunday-maintenance , 30m of the window gateways are updated",
        "sloengine budget digits-success --slice model=digits,region=eu-north",
        "catalogue/digits.yaml:3",
    ):
        assert words in text, words


def test_the_overview_links_to_each_slice_and_the_page_links_back() -> None:
    links = Tags()
    links.feed(client(Snapshot(at=NOW, statuses=(judged(), judged(group=US)))).get("/").text)
    found = [a["href"] for tag, a in links.seen if tag == "a" and str(a.get("href")).startswith("/slo/")]
    assert found == [slo_page("digits-success", g) for g in (EU, US)]
    html = page(judged(), judged(group=US), path=str(found[1]))
    assert '<a href="/">All objectives</a>' in html
    assert f'href="{slo_page("digits-success", EU)}"' in html
    assert f'href="{slo_page("digits-success", US)}"' not in html, "no link to itself"


@pytest.mark.parametrize(
    "group",
    [
        EU,
        (("a", "x,y=z%2C"),),
        (("edge.segment.site", ""),),
        (("région", "שלום & 100%"),),
        (("a", "../../etc"), ("b", "?#")),
    ],
)
def test_a_slice_in_an_address_is_the_same_slice_when_read_back(group: tuple[tuple[str, str], ...]) -> None:
    assert group_of(slice_text(group)) == group
    address = slo_page("digits-success", group)
    assert address is not None
    assert 'aria-current="page">Digits answered<' in page(judged(), judged(group=group), path=address)
    answer = site(judged(group=group)).get(address.replace("/slo/", "/api/v1/slos/")).json()
    assert [s["slice"] for s in answer["slices"]] == [dict(group)]


@pytest.mark.parametrize("name", ["a/b", "a b", "ü", "x?y", "%2e%2e", "a#b"])
def test_names_of_any_kind_have_a_page(name: str) -> None:
    odd = replace(PROMISE, name=name)
    address = slo_page(name)
    assert address is not None
    assert "99.92 %" in page(replace(judged(), slo=odd), path=address)


def test_without_a_slice_the_worst_is_shown_with_all_others_to_go_to() -> None:
    burning = judged(group=US, state=State.BURNING, reason="burning 38x")
    html = page(judged(), burning)
    assert "Digits answered: burning" in html
    assert html.count('aria-current="true"') == 1
    assert "burning 38x" in html


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/slo/nothing", "No objective is called nothing"),
        ("/slo/digits-success?slice=region%3Dmars", "No slice is region=mars"),
        ("/slo/digits-success?slice=%2C%2C%3D%3D", "No slice is ,,=="),
        (f"/slo/{quote(HOSTILE[:300])}", "No objective is called"),
    ],
)
def test_what_is_not_there_is_said_and_is_not_found(path: str, words: str) -> None:
    html = page(judged(), path=path, code=404)
    assert words in html
    assert "<script>window" not in html
    assert '<a href="/">' in html


def test_before_the_first_tick_the_page_waits() -> None:
    answer = client(EMPTY).get("/slo/digits-success")
    assert (answer.status_code, "Waiting for the first tick" in answer.text) == (200, True)


def test_when_the_store_is_away_the_page_says_so_and_shows_what_the_tick_knew() -> None:
    away = Standing(None, "ClickHouse at http://127.0.0.1:8123 did not answer: refused")
    text = str(Text(page(judged(), standing=away)))
    assert "could not be worked out: ClickHouse at http://127.0.0.1:8123 did not answer: refused" in text
    assert "events bad events 100 80 20" in text
    assert "Nothing in the window was corrected" not in text, "not known is not nothing"
    assert "Nothing was counted in the window" not in text
    assert "ClickHouse" in site(judged(), standing=away).get("/api/v1/slos/digits-success").json()["problem"]
    older = str(Text(page(judged(), standing=known(problem="no answer"))))
    assert "no answer" in older and "version 2 by rollout r-42" in older


def test_marks_say_what_to_know_of_the_figures() -> None:
    labels = replace(PROMISE, calendar=Calendar(1, "month", NOW.replace(tzinfo=None), "UTC"))
    end = NOW + timedelta(days=3, hours=2)
    odd = replace(
        judged(counts=SAMPLED, effective=80.0, clustered=12, window_end=end),
        slo=labels,
    )
    odd = replace(odd, counts=replace(SAMPLED, bridged=7, shifted=3))
    text = str(Text(page(odd)))
    for words in (
        "sampled estimated from weighted samples, known as well as 80 counted events",
        "provisional the period ends in 3d 2h",
        "by node the interval allows for 12 nodes",
        "bridged 7 events came in one increase across an outage",
        "moved 3 events were moved",
        "calendar, ",
    ):
        assert words in text, words
    assert 'class="marks"' not in page(judged())


def test_label_lag_says_how_much_is_not_judged_yet() -> None:
    told = Sli(total=(Selector(Source.DERIVED, "label.lag"),))
    young = replace(judged(counts=Counts(60, 40, 300)), slo=replace(PROMISE, sli=told))
    assert "provisional 300 predictions are younger than the limit, or of unknown weight" in str(Text(page(young)))


def test_accuracy_is_provisional_while_labels_come() -> None:
    told = Sli(total=(Selector(Source.DERIVED, "predictions"),))
    waiting = replace(judged(counts=Counts(60, 40, 300)), slo=replace(PROMISE, sli=told))
    assert "provisional 25 % have a label; those of 300 others still count when they come" in str(Text(page(waiting)))


def _segment(name: str, counts: Counts) -> Status:
    of = replace(PROMISE, by=("region", "edge.segment.site"))
    return replace(judged(group=(("region", "eu"), ("edge.segment.site", name)), counts=counts), slo=of)


def test_segments_stand_side_by_side_with_the_gap_and_what_is_not_labelled() -> None:
    thin, bold = _segment("thin", Counts(600, 400, 1000)), _segment("bold", Counts(950, 50))
    other = replace(bold, group=(("region", "us"), ("edge.segment.site", "elsewhere")))
    text = str(Text(page(thin, bold, other, path="/slo/digits-success?slice=region%3Deu%2Cedge.segment.site%3Dthin")))
    assert "Segments by site" in text
    assert "thin is 35.0 % below bold as seen; chance alone would show" in text
    assert "There surely is a gap" in text
    assert "Fewer of thin have a label than of bold" in text
    units = text.split("Segments by site")[1].split("Slices", maxsplit=1)[0]
    assert "elsewhere" not in units


def test_nodes_are_listed_where_the_slo_weighs_them() -> None:
    nodes = (("node-7", Counts(90, 10)), ("node-1", Counts(100, 0)))
    weighed = replace(judged(units=nodes, counts=Counts(1.9, 0.1)), slo=replace(PROMISE, weighting=Weighting.NODES))
    text = str(Text(page(weighed)))
    assert "each of the nodes weighs the same" in text
    assert "node-7 90 % 10 100 node-1 100 % 0 100" in text
    assert "with what is excluded" not in text, "events are not to be added to nodes"


def test_a_composite_shows_its_parts() -> None:
    whole = judged(
        budget=None, counts=Counts(), interval=None, components=(("digits-latency", 2.0, 1.5),), excluded=Counts()
    )
    html = page(whole, standing=Standing(Accounts(PROMISE, NOW)))
    assert 'href="/slo/digits-latency"' in html
    assert "weight 2, burn over the window 1.5×" in html
    assert "Ask the parts" in html


def test_where_nothing_bad_is_tolerated_there_is_no_budget() -> None:
    never = replace(
        judged(counts=Counts(10, 0), budget=Budget(0, 0, 1, 0, None)),
        slo=replace(PROMISE, zero_tolerance=True, target=1.0),
    )
    assert "Nothing bad is tolerated here" in page(never)


@pytest.mark.parametrize("snapshot", [bad_day(), hostile()])
def test_pages_of_any_snapshot_hold_no_inline_script_or_style_and_run_nothing(snapshot: Snapshot) -> None:
    evil = Account(
        replace(ATTRIBUTION, parts=(replace(ATTRIBUTION.parts[0], evidence=HOSTILE),)),
        (Excluded(HOSTILE, HOSTILE, ((NOW - HOUR, NOW),)),),
        (replace(LATE, cause=HOSTILE),),
        blind=HOSTILE[:100],
    )
    for one in snapshot.statuses:
        standing = Standing(Accounts(one.slo, NOW, {one.group: evil}), HOSTILE)
        answer = client(snapshot, standing=lambda _, s=standing: s).get(f"/slo/{quote(one.slo.name, safe='')}")
        assert answer.status_code == 200
        tags = Tags()
        tags.feed(answer.text)
        assert [a for tag, a in tags.seen if tag == "script"] == [{"src": "/static/refresh.js", "defer": None}]
        names = {name for _, attributes in tags.seen for name in attributes}
        assert not {n for n in names if n == "style" or n.startswith("on")}
        assert "<script>window" not in answer.text and "<img src=x" not in answer.text
        assert "A" * 500 not in answer.text


def test_every_table_and_picture_has_a_name_for_those_who_listen() -> None:
    tags = Tags()
    tags.feed(page(judged(), judged(group=US)))
    ids = {a["id"] for _, a in tags.seen if "id" in a}
    regions = [a for tag, a in tags.seen if a.get("role") == "region"]
    assert regions and all(a["aria-labelledby"] in ids and a["tabindex"] == "0" for a in regions)
    assert all(a.get("aria-label") for _, a in tags.seen if a.get("role") == "img")
    assert [a["href"] for tag, a in tags.seen if a.get("class") == "skip"] == ["#budget"]


def test_the_api_gives_the_same_typed() -> None:
    text = site(judged(), judged(group=US)).get("/api/v1/slos/digits-success?slice=region=eu-north").text
    answer = json.loads(text)
    (one,) = answer["slices"]
    assert answer["accounted_at"] == "2026-03-04T05:06:07Z"
    assert one["budget"]["events"] == {"allowed": 100, "spent": 80, "left": 20}
    assert one["budget"]["time_s"]["allowed"] == pytest.approx(2592)
    assert one["budget"]["exhausts_in_s"] == 180_000
    causes = {c["cause"]: c for c in one["spent_by"]["causes"]}
    assert list(causes) == [c.value for c in Cause]
    assert (causes["rollout"]["bad"], causes["rollout"]["share"], len(causes["rollout"]["hours"])) == (60, 0.6, 2)
    assert causes["drift"]["looked_at"] == []
    assert one["spent_by"]["rollouts"] == {"share": 0.25, "spent": 0.6, "left": pytest.approx(-1.4)}
    assert (one["restated"][0]["before"]["bad"], one["restated"][0]["after"]["bad"]) == (1, 31)
    assert one["as_known"]["budget_remaining"] == 0.5
    assert one["excluded"]["by"] == [{"name": "sunday-maintenance", "reason": "gateways are updated", "minutes": 30}]
    assert one["excluded"]["sli_with_it"] == pytest.approx(100_820 / 101_000)
    for path in ("nothing", "digits-success?slice=region=mars"):
        missing = site(judged()).get(f"/api/v1/slos/{path}")
        assert (missing.status_code, list(missing.json())) == (404, ["detail"])


def test_how_far_values_are_from_their_limit_stands_on_the_page_of_their_slice() -> None:
    found = Accounts(PROMISE, NOW, {EU: ACCOUNT}, VALUES)
    text = str(Text(page(judged(), standing=Standing(found))))
    for words in (
        "infer , limit 50.0 ms sampled : estimated from weighted spans",
        "version 2.1.0 as sure as 812 spans; 7 of unknown weight left out ≈12.3 ms 11.9 ms to 13.1 ms ≈48.0 ms",
        "≈90.0 ms ≥ 70.0 ms",
        "not told apart by region",
        "system.cpu.utilization , limit 0.8",
        "device camera-7 4.12 % of the time above 0.31 0.79 0.957",
        "no interval, because neighbouring values are alike",
    ):
        assert words in text, words
    assert "7.00 s" not in text, "another model's"
    assert (
        "limit"
        not in str(Text(page(judged(group=US), standing=Standing(replace(found, quantiles=VALUES[1:]))))).split(
            "Burn rate"
        )[0]
    )


def test_why_there_are_no_such_values_is_said_and_takes_nothing_else_away() -> None:
    found = Accounts(PROMISE, NOW, {EU: ACCOUNT}, unknown_quantiles="Timeout exceeded: elapsed 2.1 seconds")
    text = str(Text(page(judged(), standing=Standing(found))))
    assert "could not be worked out: Timeout exceeded" in text
    assert "version 2 by rollout r-42" in text


def test_a_page_of_nothing_asks_for_no_account() -> None:
    def never(name: str) -> Standing:
        raise AssertionError(name)

    app = create_app(
        lambda: Snapshot(at=NOW, statuses=(judged(),)), now=lambda: NOW, ready=lambda: True, standing=never
    )
    assert Client(app).get("/slo/nothing").status_code == 404
    assert Client(app).get("/api/v1/slos/nothing").status_code == 404
    assert Client(app).get("/").status_code == 200


def _spoken(text: str) -> Fraction:
    """What a cell says, in percent, events or seconds."""
    units = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
    sign = -1 if text.startswith("−") else 1
    words = text.lstrip("−").replace(",", "").removesuffix(" %").split()
    timed = all(word[-1] in units for word in words)
    return sign * sum(Fraction(w[:-1]) * units[w[-1]] if timed else Fraction(w) for w in words)


@given(st.floats(1e-5, 0.5), st.floats(0, 3), st.floats(1, 1e9))
def test_the_rows_of_the_budget_add_up_and_never_please(allowed: float, used: float, valid: float) -> None:
    may, did = allowed * valid, used * allowed * valid
    held = Budget(may, did, 1 - used, 0.0, None, 0.0)
    counts = Counts(valid - did, did) if did <= valid else Counts(0, valid)
    rows = budget_rows(judged(counts=counts, budget=held, budget_remaining=1 - used))
    assert [row.unit for row in rows] == ["ratio", "events", "time", "share"]
    for row in rows:
        # The share that is left may be hardly anything, or hardly less than all.
        if not row.left.startswith("<"):
            assert _spoken(row.allowed) - _spoken(row.spent) == _spoken(row.left), row
    (_, events, _, share) = rows
    assert _spoken(events.spent) >= Fraction(did) - Fraction(1, 10**6)
    assert _spoken(share.spent) >= Fraction(used) * 100 - Fraction(1, 10**6)
