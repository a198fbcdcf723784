"""The generated dashboards: the same on every run, what is checked in, and held to the rules."""

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from ruamel.yaml import YAML

from sloengine.grafana.build import build, write
from sloengine.grafana.finish import finish
from sloengine.grafana.lint import lint
from sloengine.grafana.macros import ALL, expand
from sloengine.grafana.oncall import marks

CHECKED_IN = Path(__file__).resolve().parents[2] / "dashboards"
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
END = START + timedelta(hours=1)

Json = dict[str, Any]


@pytest.fixture
def dashboard() -> Json:
    plain: Json = json.loads(build()["on-call.json"])
    return plain


def drawn(dashboard: Json, title: str = "Least budget left") -> Json:
    (panel,) = (p for p in dashboard["panels"] if p["title"] == title)
    return panel


def test_building_twice_gives_the_same_text() -> None:
    assert build() == build()


def test_what_is_checked_in_is_what_is_built(tmp_path: Path) -> None:
    for path in write(tmp_path):
        name = path.relative_to(tmp_path)
        assert (CHECKED_IN / name).read_text() == path.read_text(), f"{name}: run `sloengine dashboards`"


def test_nothing_is_wrong_with_any_dashboard() -> None:
    for text in build().values():
        assert lint(json.loads(text)) == []


Break = Callable[[Json], object]

BROKEN: list[tuple[str, Break, str]] = [
    ("a uid of 41 characters", lambda d: d.update(uid="u" * 41), "must have 1 to 40 characters"),
    ("no uid", lambda d: d.pop("uid"), "must have 1 to 40 characters"),
    ("editable", lambda d: d.update(editable=True), "must not be editable"),
    ("a hidden link", lambda d: d["links"][0].update(placement="inControlsMenu"), "hidden menu"),
    ("a hidden annotation", lambda d: d["annotations"]["list"][0].update(placement="x"), "hidden menu"),
    ("no datasource variable", lambda d: d["templating"]["list"].pop(0), "exactly one datasource variable"),
    ("a variable that is never asked again", lambda d: d["templating"]["list"][1].update(refresh=1), "must refresh"),
    (
        "a variable of a fixed datasource",
        lambda d: d["templating"]["list"][1].update(datasource={"uid": "x"}),
        "must ask",
    ),
    ("no title", lambda d: drawn(d).update(title=" "), "has no title"),
    ("no description", lambda d: drawn(d).pop("description"), "has no description"),
    ("a made-up unit", lambda d: drawn(d)["fieldConfig"]["defaults"].update(unit="furlongs"), "no valid unit"),
    ("no unit", lambda d: drawn(d)["fieldConfig"]["defaults"].pop("unit"), "no valid unit"),
    (
        "a made-up unit of a column",
        lambda d: drawn(d, "Transitions")["fieldConfig"]["overrides"].append(
            {"properties": [{"id": "unit", "value": "furlongs"}]}
        ),
        "no valid unit",
    ),
    ("no target", lambda d: drawn(d).update(targets=[]), "has no target"),
    ("a target without SQL", lambda d: drawn(d)["targets"][0].update(rawSql=""), "without SQL"),
    ("a target of a fixed datasource", lambda d: drawn(d)["targets"][0].update(datasource={"uid": "x"}), "must ask"),
    ("two targets of one name", lambda d: drawn(d)["targets"].append(drawn(d)["targets"][0]), "same refId"),
    ("no id", lambda d: drawn(d).pop("id"), "has no id"),
    ("the id of another", lambda d: drawn(d).update(id=d["panels"][0]["id"]), "id of another"),
    ("too wide", lambda d: drawn(d)["gridPos"].update(w=25), "does not fit"),
    ("over its neighbour", lambda d: drawn(d)["gridPos"].update(x=1), "overlaps"),
    ("falling thresholds", lambda d: drawn(d)["fieldConfig"]["defaults"]["thresholds"]["steps"].reverse(), "null"),
    (
        "thresholds out of order",
        lambda d: drawn(d)["fieldConfig"]["defaults"]["thresholds"]["steps"][2].update(value=-1),
        "ascend",
    ),
    ("a link to nowhere", lambda d: d["links"][0].update(url="/d/nowhere"), "doesn't exist"),
    (
        "a link with a foreign variable",
        lambda d: d["links"][0].update(url="/d/sloengine-on-call?var-planet=${__value.raw}"),
        "passes var-planet",
    ),
]


@pytest.mark.parametrize(("name", "spoil", "message"), BROKEN, ids=[b[0] for b in BROKEN])
def test_each_rule_finds_what_breaks_it(dashboard: Json, name: str, spoil: Break, message: str) -> None:
    broken = copy.deepcopy(dashboard)
    spoil(broken)
    assert any(message in p for p in lint(broken)), lint(broken)


def test_links_to_other_dashboards_are_checked_against_their_variables(dashboard: Json) -> None:
    dashboard["links"][0]["url"] = "/d/other?var-region=x"
    assert lint(dashboard, {"other": {"region"}}) == []


def test_the_dashboard_survives_the_sdk(dashboard: Json) -> None:
    register_default_plugins()
    again = json.loads(json.dumps(Dashboard.from_json(dashboard), cls=JSONEncoder))
    # What the SDK hides in menus again, finishing takes out again; the rest must have come through.
    again = finish(again, marks())
    for field in ("uid", "title", "schemaVersion", "time", "links", "templating"):
        assert again[field] == dashboard[field], field
    for before, after in zip(dashboard["panels"], again["panels"], strict=True):
        assert {k: after[k] for k in before} == before


def test_every_query_file_is_used_and_says_what_it_is_for() -> None:
    text = build()["on-call.json"]
    for file in resources.files("sloengine.grafana").joinpath("queries").iterdir():
        sql = file.read_text(encoding="utf-8")
        assert sql.startswith("-- "), file.name
        body = "\n".join(line for line in sql.strip().splitlines() if not line.startswith("--"))
        assert json.dumps(body, ensure_ascii=False) in text, file.name


def test_sql_is_sent_without_comments(dashboard: Json) -> None:
    assert not any("--" in t["rawSql"] for p in dashboard["panels"] for t in p.get("targets", []))


@pytest.mark.parametrize("name", ["datasources/clickhouse.yaml", "dashboards/sloengine.yaml"])
def test_provisioning_is_yaml_of_version_1(tmp_path: Path, name: str) -> None:
    write(tmp_path)
    document = YAML(typ="safe").load((tmp_path / "provisioning" / name).read_text())
    assert document["apiVersion"] == 1


@pytest.mark.parametrize(
    ("sql", "plain"),
    [
        ("$__timeFilter(At)", "At >= toDateTime(1767323045) AND At <= toDateTime(1767326645)"),
        (
            "$__timeFilter_ms(At)",
            "At >= fromUnixTimestamp64Milli(1767323045000) AND At <= fromUnixTimestamp64Milli(1767326645000)",
        ),
        ("$__timeInterval(At)", "toStartOfInterval(toDateTime(At), INTERVAL 30 second)"),
        ("$__fromTime, $__toTime, $__interval_s", "toDateTime(1767323045), toDateTime(1767326645), 30"),
        ("${one:singlequote}", "'a','b\\'c'"),
        ("$__conditionalAll(f(x, 1) IN (${one:singlequote}), $one)", "f(x, 1) IN ('a','b\\'c')"),
        ("$__conditionalAll(f(x, 1) IN (${every:singlequote}), ${every}) AND 2", "1=1 AND 2"),
    ],
)
def test_macros_are_expanded_as_the_plugin_does(sql: str, plain: str) -> None:
    assert expand(sql, START, END, 30, {"one": ["a", "b'c"], "every": ALL}) == plain


def test_any_zone_gives_the_same_instant() -> None:
    there = timezone(timedelta(hours=5, minutes=30))
    assert expand("$__fromTime", START.astimezone(there), END, 1, {}) == expand("$__fromTime", START, END, 1, {})


@pytest.mark.parametrize(
    "sql",
    ["$__timeFliter(At)", "${planet:singlequote}", "$__conditionalAll(1, $planet)", "$__conditionalAll(1", "${one}"],
)
def test_what_is_unknown_is_refused(sql: str) -> None:
    with pytest.raises(ValueError, match=r"unknown|needs|not quoted"):
        expand(sql, START, END, 1, {"one": ["a"]})
