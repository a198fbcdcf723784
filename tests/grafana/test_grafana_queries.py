"""Every query of the dashboards on the real engine, over a small fleet."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from grafana_fleet import MINUTES, REGIONS, SLOW, VERSIONS, fill

from sloengine.config.settings import StoreSection
from sloengine.evaluate.histogram import summarise
from sloengine.grafana.build import build
from sloengine.grafana.macros import ALL, Variables, expand
from sloengine.grafana.panels import query
from sloengine.store.client import Store
from sloengine.store.migrate import migrate

DASHBOARD = json.loads(build()["on-call.json"])
PANELS = {p["title"]: p for p in DASHBOARD["panels"] if p["type"] != "row"}
EVERYTHING: Variables = {"region": ALL, "model": ALL, "version": ALL}
ONE: Variables = {"region": ["ap-south"], "model": ["digits", "it's"], "version": list(VERSIONS)}
NUMBER = re.compile(r"^(Nullable\()?(U?Int\d+|Float\d+)\)?$")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path = tmp_path_factory.mktemp("store")
    command = [sys.executable, "-m", "sloengine.embedded", "--path", str(path / "data"), "--port", "0"]
    with (path / "log").open("w") as log:
        process = subprocess.Popen([*command, "--database", "sloengine"], stdout=subprocess.PIPE, stderr=log, text=True)
    with process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "listening on" in line, (path / "log").read_text()
        section = StoreSection(url=line.split()[-1])
        migrate(section)
        store = Store(section)
        fill(store, datetime.now(UTC))
        yield store
        store.close()
        process.terminate()


def ask(
    store: Store, sql: str, variables: Variables = EVERYTHING, minutes: float = MINUTES + 5
) -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    return store.sql_rows(expand(sql, now - timedelta(minutes=minutes), now, 60, variables))


def types_of(store: Store, sql: str) -> dict[str, str]:
    now = datetime.now(UTC)
    plain = expand(sql, now - timedelta(hours=1), now, 60, EVERYTHING)
    return {r["name"]: r["type"] for r in store.sql_rows(f"DESCRIBE TABLE ({plain})")}


@pytest.mark.parametrize("title", PANELS)
@pytest.mark.parametrize("variables", [EVERYTHING, ONE], ids=["All", "a selection"])
def test_every_panel_shows_something(store: Store, title: str, variables: Variables) -> None:
    for target in PANELS[title]["targets"]:
        assert ask(store, target["rawSql"], variables), title


@pytest.mark.parametrize("title", [t for t, p in PANELS.items() if p["type"] == "timeseries"])
def test_series_have_a_time_and_numbers(store: Store, title: str) -> None:
    types = types_of(store, PANELS[title]["targets"][0]["rawSql"])
    assert next(iter(types)) == "time"
    assert types.pop("time").startswith("DateTime")
    texts = [n for n, t in types.items() if not NUMBER.match(t)]
    assert all("String" in types[n] for n in texts), types
    assert len(texts) < len(types)


@pytest.mark.parametrize("title", [t for t, p in PANELS.items() if p["type"] == "stat"])
def test_figures_are_one_number(store: Store, title: str) -> None:
    sql = PANELS[title]["targets"][0]["rawSql"]
    (row,) = ask(store, sql)
    assert len(row) == 1
    assert all(NUMBER.match(t) for t in types_of(store, sql).values())


@pytest.mark.parametrize("title", [t for t, p in PANELS.items() if p["type"] == "table"])
def test_units_belong_to_columns_of_their_table(store: Store, title: str) -> None:
    panel = PANELS[title]
    named = {o["matcher"]["options"] for o in panel["fieldConfig"]["overrides"]}
    assert named <= set(types_of(store, panel["targets"][0]["rawSql"]))


@pytest.mark.parametrize("variables", [EVERYTHING, ONE], ids=["All", "a selection"])
@pytest.mark.parametrize(
    ("name", "values"), [("region", sorted(REGIONS)), ("model", ["digits"]), ("version", sorted(VERSIONS))]
)
def test_variables_offer_what_was_counted(store: Store, name: str, values: list[str], variables: Variables) -> None:
    (variable,) = (v for v in DASHBOARD["templating"]["list"] if v["name"] == name)
    rows = ask(store, variable["query"]["rawSql"], variables)
    assert [next(iter(r.values())) for r in rows] == values


def test_a_selection_selects(store: Store) -> None:
    rows = ask(store, query("success_by_region"), ONE)
    assert {r["region"] for r in rows} == {"ap-south"}
    assert ask(store, query("success_by_region"), {**ONE, "model": ["other"]}) == []


def test_success_counts_the_newest_revision_once(store: Store) -> None:
    (row,) = ask(store, query("success_rate_now"))
    good, bad = MINUTES * 98 + 10 * 80, MINUTES * 2 + 10 * 20
    assert row["success_rate"] == pytest.approx(good / (good + bad), abs=1e-12)


def test_what_is_neither_success_nor_failure_is_unknown(store: Store) -> None:
    rows = ask(store, query("traffic"))
    slices = 2 * (MINUTES + 10)
    assert sum(r["unknown"] for r in rows) == slices
    assert sum(r["bad"] for r in rows) == 2 * (MINUTES * 2 + 10 * 20)


def test_gateways_are_told_by_their_share_of_failures(store: Store) -> None:
    good, bad = MINUTES * 98 + 10 * 80, MINUTES * 2 + 10 * 20
    rows = {r["gateway"]: (r["error_rate"], r["bad"], r["valid"]) for r in ask(store, query("nodes_failing"))}
    assert rows == {f"gw-{r}": (pytest.approx(bad / (good + bad)), bad, good + bad) for r in REGIONS}


def test_quantiles_in_sql_are_those_of_the_engine(store: Store) -> None:
    rows = ask(store, query("latency_by_region"))
    one = [(6, 0.5, {-300: 45.5, -257: 3.5, **SLOW}), (5, 0.5, {-150: 45.5, -129: 3.5, **SLOW})]
    expected = summarise(one)
    assert expected is not None
    assert {r["region"] for r in rows} == set(REGIONS)
    for row in rows:
        assert (row["p95"], row["p99"]) == (pytest.approx(expected.p95), pytest.approx(expected.p99))


def test_only_what_fires_now_is_firing(store: Store) -> None:
    assert ask(store, query("alerts_firing_count")) == [{"firing": 1}]
    assert [r["dedup_key"] for r in ask(store, query("alerts_firing"))] == ["a-1"]
    assert len(ask(store, query("alert_transitions"))) == 3


def test_silent_nodes_are_late_or_were_never_heard(store: Store) -> None:
    assert [(r["device"], r["state"]) for r in ask(store, query("nodes"))] == [
        ("ap-south-003", "never heard"),
        ("ap-south-000", "stale"),
        ("eu-north-000", "stale"),
    ]
    assert ask(store, query("nodes_stale_count")) == [{"stale": 3}]


def test_only_the_new_version_is_a_change(store: Store) -> None:
    assert [r["version"] for r in ask(store, query("what_changed"), minutes=20)] == ["2.0.0"]
    assert [r["text"] for r in ask(store, query("new_versions"), minutes=20)] == ["digits 2.0.0 first seen"]


def test_spans_of_unknown_weight_are_told_apart_and_never_counted_as_one(store: Store) -> None:
    rows = ask(store, query("sampled_spans"))
    assert sum(r["known_weight"] for r in rows) == 10
    assert sum(r["unknown_weight"] for r in rows) == 10
    assert sum(r["represented"] for r in rows) == pytest.approx(40)


def test_objectives_come_worst_first(store: Store) -> None:
    assert [r["state"] for r in ask(store, query("slos"))] == ["burning", "no traffic", "ok"]
    assert ask(store, query("budget_worst")) == [{"budget_left": -19.0}]
