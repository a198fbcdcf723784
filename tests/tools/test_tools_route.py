"""``sloengine route``: where an alert would go."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sloengine import cli
from sloengine.alert.episodes import Episode, EpisodeState, identity_of
from sloengine.alert.silences import Silence
from sloengine.config.routing import load_alerting
from sloengine.model import Matcher, Severity
from sloengine.state import episodes as episode_rows
from sloengine.state import silences as silence_rows
from sloengine.state.database import open_database, transaction
from sloengine.state.episodes import Change
from sloengine.tools.outcome import Outcome, Refused
from sloengine.tools.route import labels_of, quiet_of, run_route

WHOLE = Path(__file__).parents[1] / "config" / "alertmanager_0_28.yaml"
NOON, NIGHT = datetime(2026, 5, 4, 12, tzinfo=UTC), datetime(2026, 5, 4, 23, tzinfo=UTC)


def routed(labels: str | None, at: datetime) -> Outcome:
    alerting = load_alerting(WHOLE)
    return run_route(alerting, labels, quiet_of(alerting, at))


def test_the_tree_is_drawn_with_what_routes_add() -> None:
    assert routed(None, NOON).text.splitlines() == [
        "every alert → everybody, by [alertname, cluster], group_wait 10s, group_interval 5m, repeat_interval 4h",
        '├── {severity="page",site!="lab",team=~"ml|ops"} → on-call, '
        "group_wait 0s, group_interval 1m30s, repeat_interval 4h, continue",
        '│   └── {edge.model!~"shadow-.*",kind="a, b"} → on-call, by [...]',
        '├── {severity="ticket",team=~"^(?:ml|ops)$",tier="2"} → everybody, mute in nights, active in office',
        '└── {kind="integrity"} → safety, safety',
    ]


def test_labels_are_answered_with_receiver_group_timers_and_what_mutes() -> None:
    outcome = routed('severity=page,team=ml,kind="a, b",alertname=Latency', NOON)
    assert (outcome.text.splitlines(), outcome.code) == (
        [
            "receiver   on-call",
            "targets    on-call/webhook/0",
            'group      {}/{severity="page",site!="lab",team=~"ml|ops"}/{edge.model!~"shadow-.*",kind="a, b"}:'
            '{alertname="Latency", kind="a, b", severity="page", team="ml"}',
            "timers     group_wait 0s, group_interval 1m30s, repeat_interval 4h",
            'mute while {alertname="AcceleratorFailed"} fires',
        ],
        0,
    )


@pytest.mark.parametrize(
    ("labels", "at", "mutes", "code"),
    [
        ("severity=ticket,team=ml,tier=2", NOON, [], 0),
        ("severity=ticket,team=ml,tier=2", NIGHT, ["mute_time_intervals nights"], 1),
        ("severity=ticket,team=ml,tier=2", NOON.replace(day=3), ["outside active_time_intervals office"], 1),
        ("severity=other", NIGHT, [], 0),
        ("kind=integrity,alertname=Latency", NIGHT, [], 1),  # its receiver has no target
    ],
)
def test_that_nobody_would_be_told_is_something_found(labels: str, at: datetime, mutes: list[str], code: int) -> None:
    outcome = routed(labels, at)
    (route,) = outcome.found["routes"]
    assert [f"{m['kind']} {m['name']}" for m in route["mutes"]] == mutes
    assert outcome.code == code


def test_a_safety_route_is_not_muted_by_other_alerts() -> None:
    (route,) = routed("kind=integrity,alertname=Latency", NOON).found["routes"]
    assert (route["safety"], route["muted_while"]) == (True, [])


@pytest.mark.parametrize("text", ["", "a", "a!=b", 'a="b'])
def test_what_is_no_set_of_labels_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="--labels"):
        labels_of(text)


def test_the_command_reads_the_file_that_is_named_and_exits_by_what_it_found() -> None:
    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(cli.app, ["route", "--config", str(WHOLE), *words])
        return done.exit_code, done.output

    code, text = run("--labels", "severity=ticket,team=ml,tier=2", "--at", "2026-05-04T23:00", "--json")
    assert (code, json.loads(text)["routes"][0]["receiver"]) == (1, "everybody")
    code, text = run("--json")
    assert (code, json.loads(text)["route"]["routes"][0]["continue"]) == (0, True)
    assert run("--labels", "a")[0] == 2
    assert run("--at", "noon", "--labels", "a=b")[0] == 2


def test_with_the_engines_state_silences_and_causes_are_known(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    state = open_database(url)
    alerting = load_alerting(WHOLE)
    silence = Silence("s1", (Matcher("alertname", "=", "Latency"),), NOON, NOON + timedelta(hours=1), "kim", "repair")
    labels = {"alertname": "AcceleratorFailed"}
    episode = Episode(identity_of(labels), 1, Severity.PAGE, labels, EpisodeState.FIRING, NOON, NOON)
    with transaction(state) as connection:
        silence_rows.add(connection, silence, NOON)
        episode_rows.fire(connection, episode, Change(NOON, "burns", {}, {}))
    state.dispose()
    outcome = run_route(alerting, "alertname=Latency", quiet_of(alerting, NOON, url))
    assert [m["name"] for m in outcome.found["routes"][0]["mutes"]] == [episode.dedup_key, "s1"]
    assert outcome.code == 1
    assert "mute now   inhibition" in outcome.text
