"""From episodes to requests: grouping, mutes and reloads on a state that outlives its engine."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from alert_rig import MINUTE, AlertRig
from sqlalchemy import select

from sloengine import jobs
from sloengine.gameday.pager import Pager
from sloengine.jobs.tell import AT_ONCE as AT_ONCE_MOST
from sloengine.notify.targets import TARGETS
from sloengine.state import outbox
from sloengine.state.database import transaction
from sloengine.state.tables import groups, members

BY_REGION = {"receiver": "on-call", "group_by": ["region"], "group_wait": "30s", "group_interval": "5m"}
AT_ONCE = {"receiver": "on-call", "group_by": ["..."], "group_wait": "0s", "group_interval": "10s"}


class Refusing:
    """A webhook that is gone, until it is told otherwise."""

    def __init__(self) -> None:
        self.status = 410
        there = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(there.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


Make = Callable[..., AlertRig]


@pytest.fixture
def rigged(tmp_path: Path, pager: Pager) -> Iterator[Make]:
    made: list[AlertRig] = []

    def make(route: dict[str, Any], **more: Any) -> AlertRig:
        made.append(AlertRig(tmp_path, pager, {"route": route, **more}))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


def test_alerts_of_a_group_come_in_one_notification_after_group_wait(rigged: Make) -> None:
    rig = rigged(BY_REGION)
    rig.fire("A", region="eu")
    rig.run(10)
    rig.fire("B", region="eu")
    rig.fire("C", region="us")
    assert rig.run(60) == [(31, "on-call", [("A", "firing"), ("B", "firing")]), (41, "on-call", [("C", "firing")])]


def test_an_incident_is_resolved_once_by_one_key_and_the_next_has_another(rigged: Make, pager: Pager) -> None:
    rig = rigged(BY_REGION)
    for _ in range(2):
        rig.fire("A", region="eu")
        assert [what for _, _, what in rig.run(60, 10)] == [[("A", "firing")]]
        rig.resolve("A", region="eu")
        assert [what for _, _, what in rig.run(900, 10)] == [[("A", "resolved")]]
    keys = [r["idempotency_key"].split(":")[0] for r in pager.received]
    assert len(set(keys)) == 2
    assert keys[0] == keys[1] and keys[2] == keys[3]
    with transaction(rig.deps.state) as connection:
        assert connection.execute(select(members)).all() == [], "nothing is kept of what is over"
        assert connection.execute(select(groups.c.look_at)).scalars().all() == [None]


@pytest.mark.parametrize("when", [5, 35, 200])
def test_a_restart_neither_forgets_nor_repeats(rigged: Make, when: int) -> None:
    rig = rigged(BY_REGION)
    rig.fire("A", region="eu")
    seen = rig.run(when)
    rig.restart()
    seen += rig.run(400, 5)
    assert [what for _, _, what in seen] == [[("A", "firing")]]
    rig.resolve("A", region="eu")
    rig.restart()
    assert [what for _, _, what in rig.run(400, 5)] == [[("A", "resolved")]]


def test_what_still_fires_is_told_again_after_repeat_interval_also_by_another_engine(rigged: Make) -> None:
    rig = rigged({**BY_REGION, "repeat_interval": "1h"})
    rig.fire("A", region="eu")
    rig.run(60, 10)
    rig.restart()
    again = rig.run(7200, 30)
    assert [what for _, _, what in again] == [[("A", "firing")]] * 2
    assert again[1][0] - again[0][0] == pytest.approx(3600, abs=330)


def test_a_silence_that_starts_after_a_page_does_not_swallow_its_resolve(rigged: Make) -> None:
    rig = rigged(AT_ONCE)
    rig.fire("A", region="eu")
    assert [what for _, _, what in rig.run(5)] == [[("A", "firing")]]
    rig.silence(("region", "=", "eu"))
    rig.fire("B", region="eu")
    assert rig.run(60) == []
    rig.resolve("A", region="eu")
    rig.resolve("B", region="eu")
    assert [what for _, _, what in rig.run(60)] == [[("A", "resolved")]], "of B nobody had heard"


def test_a_silence_that_ends_lets_what_still_fires_through(rigged: Make) -> None:
    rig = rigged(AT_ONCE)
    rig.silence(("region", "=", "eu"), hours=0.5)
    rig.fire("A", region="eu")
    assert rig.run(1790, 10) == []
    assert [what for _, _, what in rig.run(60, 10)] == [[("A", "firing")]]


def test_safety_routes_are_muted_by_nothing_but_a_silence_that_names_them(rigged: Make) -> None:
    safety = {"receiver": "safety", "matchers": ['kind="safety"'], "safety": True}
    rule = {"source_matchers": ['alertname="Cause"'], "target_matchers": ['region="eu"'], "equal": ["region"]}
    rig = rigged({**AT_ONCE, "routes": [safety]}, inhibit_rules=[rule])
    rig.silence(("region", "=~", ".*"), ("alertname", "=~", ".+"))
    rig.fire("Cause", region="eu", kind="")
    rig.fire("A", region="eu", kind="safety")
    rig.fire("B", region="eu", kind="")
    assert [(who, what) for _, who, what in rig.run(30)] == [("safety", [("A", "firing")])]
    rig.silence(("route", "=", "safety"), ("alertname", "=", "C"), ("region", "=", "eu"))
    rig.fire("C", region="eu", kind="safety")
    assert rig.run(30) == []


def test_safety_is_sent_before_what_was_queued_earlier(rigged: Make) -> None:
    safety = {"receiver": "safety", "matchers": ['kind="safety"'], "safety": True}
    rig = rigged({**AT_ONCE, "routes": [safety]})
    for n in range(AT_ONCE_MOST + 5):
        rig.fire(f"A{n}")
    rig.fire("S", kind="safety")
    assert next(who for _, who, _ in rig.look()) == "safety"


def test_a_cause_keeps_its_symptom_quiet_across_a_restart(rigged: Make) -> None:
    rule = {
        "source_matchers": ['alertname="GatewayDown"'],
        "target_matchers": ['alertname="NodeStale"'],
        "equal": ["gateway"],
    }
    rig = rigged(AT_ONCE, inhibit_rules=[rule])
    rig.fire("GatewayDown", gateway="gw-1")
    rig.fire("NodeStale", gateway="gw-1", device="d")
    rig.fire("NodeStale", gateway="gw-2", device="d")
    assert sorted(what for _, _, what in rig.run(5)) == [[("GatewayDown", "firing")], [("NodeStale", "firing")]]
    rig.restart()
    assert rig.run(120, 10) == []
    rig.resolve("GatewayDown", gateway="gw-1")
    assert sorted(what for _, _, what in rig.run(30)) == [[("GatewayDown", "resolved")], [("NodeStale", "firing")]]


def test_a_target_that_forgets_is_told_again_while_something_fires_and_no_longer(rigged: Make, pager: Pager) -> None:
    rig = rigged(AT_ONCE)
    address = pager.url.rpartition("/")[0]
    one = {"name": "on-call", "alertmanager_configs": [{"url": address}]}
    rig.write(json.dumps({"route": AT_ONCE, "receivers": [one]}))
    jobs.reload(rig.deps, rig.now)
    rig.fire("A")
    every = TARGETS["alertmanager_configs"].policy.resend_s
    assert every is not None
    rig.run(5 * every, every / 2)
    assert len(pager.bodies) == 5
    assert len({body[0]["labels"]["alertname"] for body in pager.bodies}) == 1
    rig.resolve("A")
    rig.run(5 * every, every / 2)
    assert len(pager.bodies) == 6, "its end, once"


def test_a_target_that_refuses_for_good_is_an_alert_that_reaches_another_one(rigged: Make, pager: Pager) -> None:
    route = {**AT_ONCE, "routes": [{"receiver": "broken", "matchers": ['team="x"']}]}
    rig = rigged(route)
    refusing = Refusing()
    broken = {"name": "broken", "webhook_configs": [{"url": refusing.url}]}
    works = {"name": "on-call", "webhook_configs": [{"url": pager.url}]}
    rig.write(json.dumps({"route": route, "receivers": [works, broken]}))
    jobs.reload(rig.deps, rig.now)
    rig.fire("A", team="x")
    rig.fire("B", team="x")
    assert [what for _, _, what in rig.run(30)] == [[("NotificationRefused", "firing")]], (
        "one, however many are refused"
    )
    [alert] = pager.received
    assert (alert["labels"]["target"], "410" in alert["annotations"]["description"]) == ("broken/webhook/0", True)
    refusing.status = 200
    rig.fire("C", team="x")
    assert [what for _, _, what in rig.run(30)] == [[("NotificationRefused", "resolved")]]
    refusing.close()


def test_the_alert_of_a_refusal_that_is_refused_itself_goes_round_no_circle(rigged: Make) -> None:
    rig = rigged(AT_ONCE)
    refusing = Refusing()
    one = {"name": "on-call", "webhook_configs": [{"url": refusing.url}]}
    rig.write(json.dumps({"route": AT_ONCE, "receivers": [one]}))
    jobs.reload(rig.deps, rig.now)
    rig.fire("A")
    rig.run(300, 5)
    with transaction(rig.deps.state) as connection:
        assert outbox.counts(connection) == {"dead": 2}
    refusing.close()


# --- the routing changes


def test_a_reload_tells_nobody_anything_again_and_what_is_over_is_resolved_where_it_was_told(rigged: Make) -> None:
    rig = rigged(AT_ONCE)
    rig.fire("A", region="eu", team="ml")
    assert [(who, what) for _, who, what in rig.run(5)] == [("on-call", [("A", "firing")])]
    rig.write(
        {"route": {**AT_ONCE, "group_by": ["region"], "routes": [{"receiver": "ml", "matchers": ['team="web"']}]}}
    )
    assert jobs.reload(rig.deps, rig.now)
    assert not jobs.reload(rig.deps, rig.now), "nothing has changed since"
    assert rig.run(120, 10) == []
    rig.resolve("A", region="eu", team="ml")
    assert [(who, what) for _, who, what in rig.run(30)] == [("on-call", [("A", "resolved")])]


def test_a_new_receiver_of_what_fires_is_told_and_the_old_one_still_hears_its_end(rigged: Make) -> None:
    rig = rigged(AT_ONCE)
    rig.fire("A", team="ml")
    rig.run(5)
    rig.write({"route": {**AT_ONCE, "routes": [{"receiver": "ml", "matchers": ['team="ml"']}]}})
    jobs.reload(rig.deps, rig.now)
    assert [(who, what) for _, who, what in rig.run(60, 5)] == [("ml", [("A", "firing")])]
    rig.resolve("A", team="ml")
    assert sorted((who, what) for _, who, what in rig.run(60, 5)) == [
        ("ml", [("A", "resolved")]),
        ("on-call", [("A", "resolved")]),
    ]


def test_a_routing_that_can_not_be_read_leaves_the_last_good_one_in_force_and_is_said(rigged: Make) -> None:
    rig = rigged(AT_ONCE)
    good = rig.deps.alerting
    rig.write(json.dumps({"route": {"receiver": "nobody-knows"}, "receivers": [{"name": "on-call"}]}))
    assert not jobs.reload(rig.deps, rig.now)
    assert rig.deps.alerting is good
    assert "nobody-knows" in " ".join(rig.deps.routing_problems)
    rig.fire("A")
    assert [what for _, _, what in rig.run(5)] == [[("A", "firing")]]
    rig.write({"route": AT_ONCE})
    jobs.reload(rig.deps, rig.now)
    assert rig.deps.routing_problems == ()


# --- nothing is lost


class Killed(BaseException):
    """Passes every ``except Exception``, as a kill does."""


@pytest.mark.parametrize("place", ["save", "leave", "due"])
@pytest.mark.parametrize("change", ["fire", "resolve"])
def test_a_crash_while_groups_are_looked_at_leaves_all_or_nothing(
    rigged: Make, pager: Pager, monkeypatch: pytest.MonkeyPatch, place: str, change: str
) -> None:
    rig = rigged(AT_ONCE)
    rig.fire("A")
    if change == "resolve":
        rig.run(1)
        rig.resolve("A")
        rig.now += MINUTE

    def die(*_: object, **__: object) -> Any:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(f"sloengine.state.groups.{place}", die)
        with pytest.raises(Killed):
            jobs.deliver(rig.deps)
    rig.restart()
    rig.run(60, 5)
    told = [what for body in pager.bodies for what in [a["status"] for a in body["alerts"]]]
    assert told == (["firing"] if change == "fire" else ["firing", "resolved"])


def test_two_engines_tell_a_group_once(rigged: Make, pager: Pager) -> None:
    rig = rigged(AT_ONCE)
    other = rig.engine("two")
    rig.fire("A")
    for _ in range(30):
        rig.now += MINUTE / 12
        jobs.deliver(other)
        jobs.deliver(rig.deps)
    assert len(pager.bodies) == 1
    other.http.close()
    other.state.dispose()


def test_ten_thousand_alerts_in_a_hundred_groups_are_a_hundred_notifications(rigged: Make, pager: Pager) -> None:
    rig = rigged({**BY_REGION, "group_wait": "10s"})
    # Accepted at once, as a storm is: in one transaction.
    rig.storm([{"alertname": "A", "region": f"r{n % 100}", "device": f"d{n}"} for n in range(10_000)])
    assert len(rig.run(30, 10)) == 100
    assert sum(len(body["alerts"]) for body in pager.bodies) == 10_000
    assert rig.run(30, 10) == []
    with transaction(rig.deps.state) as connection:
        assert outbox.counts(connection) == {"sent": 100}
