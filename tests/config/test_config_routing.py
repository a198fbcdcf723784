"""alerting.yaml: what it takes, and what it refuses by name."""

import json
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sloengine.alert.inhibition import Rule
from sloengine.alert.intervals import Interval, Span
from sloengine.alert.routes import Timers
from sloengine.config.catalogue import check_catalogue
from sloengine.config.label_matchers import read_label_matchers
from sloengine.config.routing import check_alerting, load_alerting
from sloengine.config.yamlfile import Document, read_documents
from sloengine.config.yamltree import read_tree
from sloengine.errors import ConfigError
from sloengine.model import Matcher
from sloengine.notify.email import EmailConfig
from sloengine.notify.slack import SlackConfig

GOOD = """\
route: {receiver: on-call}
receivers:
  - name: on-call
    webhook_configs:
      - url: https://pager.example/hook
      - url: http://127.0.0.1:9/second
        send_resolved: false
  - name: nobody
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "alerting.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_alerting(path)
    return [str(p).removeprefix(f"{path}:") for p in caught.value.problems]


def test_targets_have_stable_names(tmp_path: Path) -> None:
    targets = load_alerting(write(tmp_path, GOOD)).targets
    assert {name: (t.config.read_secret("url"), t.config.send_resolved) for name, t in targets.items()} == {
        "on-call/webhook/0": ("https://pager.example/hook", True),
        "on-call/webhook/1": ("http://127.0.0.1:9/second", False),
    }


def test_a_receiver_without_targets_takes_alerts_and_sends_nothing(tmp_path: Path) -> None:
    assert load_alerting(write(tmp_path, GOOD)).targets_of("nobody") == {}


@pytest.mark.parametrize(
    ("case", "text", "said"),
    [
        (
            "an unknown receiver",
            GOOD.replace("receiver: on-call", "receiver: oncall"),
            ["1: error: route names receiver 'oncall'; known: on-call, nobody"],
        ),
        (
            "a receiver twice",
            GOOD.replace("name: nobody", "name: on-call"),
            ["8: error: receiver 'on-call' is defined twice"],
        ),
        (
            "both at once",
            GOOD.replace("name: nobody", "name: on-call").replace("receiver: on-call", "receiver: x"),
            [
                "8: error: receiver 'on-call' is defined twice",
                "1: error: route names receiver 'x'; known: on-call",
            ],
        ),
        (
            "a mistyped key",
            GOOD.replace("send_resolved", "send_resovled"),
            ["7: error: unknown key 'receivers.0.webhook_configs.1.send_resovled'; did you mean 'send_resolved'?"],
        ),
        (
            "an address that is none, and a missing route",
            GOOD.replace("https://pager.example/hook", "pager").replace("route: {receiver: on-call}", "# none"),
            [
                "2: error: route: is missing",
                "5: error: receivers.0.webhook_configs.0.url: expected an address such as https://pager.example/hook",
            ],
        ),
        (
            "a hook twice, and one whose secret is not there",
            GOOD + "hooks:\n  - {name: a, url: 'http://a'}\n  - {name: a, url: 'http://a', secret_file: nowhere}\n",
            ["11: error: hook 'a' is defined twice", "11: error: there is no file nowhere"],
        ),
        (
            "an address that is not HTTP",
            GOOD.replace("https://pager", "ftp://pager"),
            ["5: error: receivers.0.webhook_configs.0.url: expected an address that begins with http:// or https://"],
        ),
        (
            "no receivers",
            "route: {receiver: a}\nreceivers: []\n",
            ["2: error: receivers: expected at least 1, found 0"],
        ),
        ("an empty file", "", ["1: error: expected one YAML document, found 0"]),
        ("two documents", GOOD + "---\n" + GOOD, ["1: error: expected one YAML document, found 2"]),
        ("a list", "- route\n", ["1: error: expected a mapping of keys to values"]),
        ("not YAML", "route: {receiver: a\n", ["2: error: not valid YAML"]),
    ],
)
def test_mistakes_are_named_with_their_line(case: str, text: str, said: list[str], tmp_path: Path) -> None:
    found = problems(write(tmp_path, text))
    assert len(found) == len(said), (case, found)
    for line, start in zip(found, said, strict=True):
        assert line.startswith(start), (case, line)


def test_a_missing_file_says_what_it_is_for(tmp_path: Path) -> None:
    (said,) = problems(tmp_path / "alerting.yaml")
    assert said == "1: error: no such file; it says where alerts go (route, receivers)"


def test_a_folder_in_its_place_is_an_error_with_words(tmp_path: Path) -> None:
    (said,) = problems(tmp_path)
    assert said.startswith("1: error: can't be read")


def test_an_address_is_not_shown_for_it_may_hold_a_secret(tmp_path: Path) -> None:
    text = GOOD.replace("pager.example/hook", "hooks.example/T0/hunter2")
    assert "hunter2" not in repr(load_alerting(write(tmp_path, text)))
    wrong = text.replace("https://hooks", "ftp://hooks")
    assert "hunter2" not in "".join(problems(write(tmp_path, wrong)))


MONITOR = """\
apiVersion: sloengine.dev/v1
kind: DriftMonitor
metadata: {name: scores, annotations: {sloengine.dev/owner: ml, sloengine.dev/runbook: r}}
spec: {service: digits, metric: scores, retrain: train}
---
apiVersion: openslo/v1
kind: Service
metadata: {name: digits}
spec: {}
"""


def test_a_hook_that_a_monitor_names_is_looked_for_beside_the_catalogue(tmp_path: Path) -> None:
    file = tmp_path / "z.yaml"
    file.write_text(MONITOR)
    assert check_catalogue([tmp_path])[1] == []  # nobody knows the routing
    write(tmp_path, GOOD + "hooks: [{name: trainer, url: 'http://a'}]\n")
    [said] = check_catalogue([tmp_path])[1]
    assert (
        str(said) == f"{file}:1: error: retrain names hook 'train', which alerting.yaml lacks; did you mean 'trainer'?"
    )
    write(tmp_path, GOOD + "hooks: [{name: train, url: 'http://a'}]\n")
    assert check_catalogue([tmp_path])[1] == []


def test_routing_beside_a_catalogue_is_linted_with_it(tmp_path: Path) -> None:
    file = tmp_path / "alerting.yaml"
    file.write_text("route:\n  reciever: a\nreceivers:\n  - name: a\n")
    _, problems = check_catalogue([tmp_path])
    assert f"{file}:2: error: unknown key 'route.reciever'; did you mean 'receiver'?" in [str(p) for p in problems]
    file.write_text("route: {receiver: a}\nreceivers:\n  - name: a\n")
    assert check_catalogue([tmp_path])[1] == []


WHOLE = Path(__file__).with_name("alertmanager_0_28.yaml")


def found(path: Path) -> list[str]:
    _, said = check_alerting(read_documents(path)[0])
    return [str(p).removeprefix(f"{path}:") for p in sorted(said, key=lambda p: p.line)]


def test_a_whole_file_of_alertmanager_loads_and_what_is_not_acted_on_is_named() -> None:
    assert found(WHOLE) == [
        "3: warning: global.resolve_timeout is not acted on: alerts here end when they are measured to, not by a timeout",
        "5: warning: templates are not acted on: messages are written by sloengine",
        "47: warning: slack_configs.api_url holds a secret in the file itself; api_url_file or api_url_env keeps it out",
        "49: warning: there is no file /etc/hook here",
        "55: warning: pagerduty_configs.routing_key holds a secret in the file itself; "
        "routing_key_file or routing_key_env keeps it out",
        "56: warning: telegram_configs is not supported: nothing is sent this way",
    ]
    alerting = load_alerting(WHOLE)
    assert list(alerting.targets_of("everybody")) == ["everybody/slack/0", "everybody/webhook/0", "everybody/webhook/1"]


def test_what_all_receivers_share_stands_in_for_what_one_leaves_out(tmp_path: Path) -> None:
    text = """
global: {slack_api_url: "https://hooks.example/T0", smtp_smarthost: "mail.example:25", smtp_from: "slo@example.org"}
route: {receiver: a}
receivers:
  - name: a
    slack_configs: [{channel: "#x"}, {channel: "#y", api_url: "https://hooks.example/T1"}]
    email_configs: [{to: "ann@example.org"}, {to: "bob@example.org", from: "other@example.org"}]
"""
    ways = [way.config for way in load_alerting(write(tmp_path, text)).targets.values()]
    assert [way.read_secret("api_url") for way in ways if isinstance(way, SlackConfig)] == [
        "https://hooks.example/T0",
        "https://hooks.example/T1",
    ]
    assert [way.from_ for way in ways if isinstance(way, EmailConfig)] == ["slo@example.org", "other@example.org"]


def test_the_tree_holds_what_routes_inherit() -> None:
    page, ticket, safety = load_alerting(WHOLE).tree.routes
    assert page.path == '{}/{severity="page",site!="lab",team=~"ml|ops"}'
    assert (page.timers.wait, page.timers.interval) == (timedelta(), timedelta(seconds=90))
    assert page.goes_on
    assert page.routes[0].path == page.path + '/{edge.model!~"shadow-.*",kind="a, b"}'
    assert (page.routes[0].group_by, page.routes[0].receiver, page.routes[0].timers) == (None, "on-call", page.timers)
    assert ticket.path == '{}/{severity="ticket",team=~"^(?:ml|ops)$",tier="2"}'
    assert (ticket.receiver, ticket.group_by, ticket.mute_in) == ("everybody", {"cluster", "alertname"}, ("nights",))
    assert ticket.timers == Timers(timedelta(seconds=10), timedelta(minutes=5), timedelta(hours=4))
    assert (safety.safety, page.safety) == (True, False)


def test_rules_and_intervals_are_values() -> None:
    alerting = load_alerting(WHOLE)
    assert alerting.rules == (
        Rule(
            (Matcher("alertname", "=", "GatewayDown"),),
            (Matcher("alertname", "=~", "^(?:Stale.*)$"),),
            ("gateway",),
        ),
        Rule(
            (Matcher("alertname", "=", "AcceleratorFailed"),),
            (Matcher("alertname", "=", "Latency"),),
            name="accelerator",
        ),
    )
    assert alerting.intervals["nights"] == (Interval(times=(Span(1320, 1440), Span(0, 360))),)
    assert alerting.intervals["office"] == (
        Interval(
            weekdays=(Span(1, 5),),
            days_of_month=(Span(1, 7), Span(-3, -1)),
            months=(Span(1, 1), Span(5, 8)),
            years=(Span(2026, 2028), Span(2030, 2030)),
            zone=ZoneInfo("Europe/Berlin"),
        ),
    )


def routed(route: str, more: str = "") -> str:
    return f"receivers: [{{name: a}}]\n{more or 'hooks: []'}\nroute:\n  receiver: a\n  {route}\n"


@pytest.mark.parametrize(
    ("case", "text", "said"),
    [
        (
            "the first route is for everything",
            routed("continue: true\n  matchers: [a=b]\n  mute_time_intervals: []\n  match: {a: b}"),
            [
                "5: error: route.continue: there is nothing beside the first route",
                "6: error: route.matchers: the first route takes every alert",
                "8: error: route.match: the first route takes every alert",
            ],
        ),
        (
            "the first route is always active",
            routed("active_time_intervals: [x]", "time_intervals: [{name: x}]"),
            ["5: error: route.active_time_intervals: the first route is always active; use one below it"],
        ),
        (
            "no receiver to fall back on",
            "receivers: [{name: a}]\nroute:\n  group_by: [x]\n",
            ["2: error: route: the first route needs a receiver, for alerts that no other takes"],
        ),
        (
            "an unknown interval",
            routed("routes: [{mute_time_intervals: [night]}]", "time_intervals: [{name: nights}]"),
            ["5: error: route.routes.0.mute_time_intervals names time interval 'night'; did you mean 'nights'?"],
        ),
        (
            "an interval twice",
            routed("", "time_intervals: [{name: x}]\nmute_time_intervals: [{name: x}]"),
            ["2: error: time interval 'x' is defined twice"],
        ),
        (
            "a group twice, and everything beside something",
            routed("group_by: [a, b, a]\n  routes: [{group_by: [a, ...]}]"),
            [
                "5: error: route.group_by names 'a' twice",
                "6: error: route.routes.0.group_by: '...' means every label, and stands alone",
            ],
        ),
        (
            "durations",
            routed("group_wait: 5 min\n  group_interval: 0s\n  repeat_interval: 1s5m"),
            [
                "5: error: route.group_wait: '5 min' is not a duration such as 30s, 5m or 1h30m",
                "6: error: route.group_interval: can't be zero",
                "7: error: route.repeat_interval: '1s5m' is not a duration such as 30s, 5m or 1h30m",
            ],
        ),
        (
            "matchers",
            routed(
                "routes:\n    - matchers:\n        - 'a=\"b'\n        - a==b=c\"\n        - a\n"
                '        - a=~"(x"\n        - ""'
            ),
            [
                "7: error: route.routes.0.matchers.0: 'a=\"b': a quote inside a value is written \\\", and a value has",
                "8: error: route.routes.0.matchers.1: 'a==b=c\"': a quote inside a value is written \\\"",
                "9: error: route.routes.0.matchers.2: 'a' is not a matcher such as severity=\"page\" or team!~\"a|b\"",
                "10: error: route.routes.0.matchers.3: '(x' is not a regular expression",
                "11: error: route.routes.0.matchers.4: a matcher is a text such as 'severity=\"page\"', and this one is empty",
            ],
        ),
        (
            "expressions that Go and Python read differently",
            routed(
                "routes:\n    - match_re:\n        a: '[[:alpha:]]+'\n        b: (?i)straße\n        c: '\\pL'\n"
                "        d: a{,3}\n        e: (?=a)\n        f: (?#x)a\n        g: \\Za"
            ),
            [
                "7: error: route.routes.0.match_re.a: '[[:alpha:]]+': '[[:' is a class such as [[:alpha:]]",
                "8: error: route.routes.0.match_re.b: '(?i)straße': (?i) of other letters than ASCII's differs",
                "9: error: route.routes.0.match_re.c: '\\pL' is not a regular expression: bad escape",
                "10: error: route.routes.0.match_re.d: 'a{,3}': '{,3}' is a repeat without a lower bound",
                "11: error: route.routes.0.match_re.e: '(?=a)': RE2 has no look-around",
                "12: error: route.routes.0.match_re.f: '(?#x)a': '(?#' is a comment",
                "13: error: route.routes.0.match_re.g: '\\Za'",
            ],
        ),
        (
            "intervals",
            routed(
                "",
                "time_intervals:\n  - name: x\n    time_intervals:\n      - weekdays: [friday:monday, tomorrow]\n"
                "        times: [{start_time: '9:00', end_time: '08:00'}, {start_time: '09:00', end_time: '08:00'}]\n"
                "        days_of_month: ['-1:1', 0, '-1:-3', 32]\n        months: [may:april, 13]\n"
                "        years: [2030:2029]\n        location: Europe/Berln",
            ),
            [
                "5: error: time_intervals.0.time_intervals.0.weekdays.0: 'friday:monday' ends before it begins",
                "5: error: time_intervals.0.time_intervals.0.weekdays.1: 'tomorrow' is not a weekday",
                "6: error: time_intervals.0.time_intervals.0.times.0.start_time: '9:00' is not a time of day",
                "6: error: time_intervals.0.time_intervals.0.times.1: start_time is not before end_time",
                "7: error: time_intervals.0.time_intervals.0.days_of_month.0: '-1:1': a span that begins from",
                "7: error: time_intervals.0.time_intervals.0.days_of_month.1: a month has no day 0",
                "7: error: time_intervals.0.time_intervals.0.days_of_month.2: '-1:-3' ends before it begins in every month",
                "7: error: time_intervals.0.time_intervals.0.days_of_month.3: 32 is not a day of a month",
                "8: error: time_intervals.0.time_intervals.0.months.0: 'may:april' ends before it begins",
                "8: error: time_intervals.0.time_intervals.0.months.1: 13 is not a month",
                "9: error: time_intervals.0.time_intervals.0.years.0: '2030:2029' ends before it begins",
                "10: error: time_intervals.0.time_intervals.0.location: unknown time zone 'Europe/Berln'; did you mean",
            ],
        ),
        (
            "a receiver that is used and can't be reached, seen beside a mistake of shape",
            "receivers:\n  - name: a\n    sns_configs: [{to: x}]\n    jira_configs: [{x: x}]\n"
            "  - name: b\n    sns_configs: [{to: x}]\nroute: {receiver: a, routs: []}\n",
            [
                "2: error: a route sends to receiver 'a', which has no supported way to send: jira_configs, sns_configs",
                "3: warning: sns_configs is not supported",
                "4: warning: jira_configs is not supported",
                "6: warning: sns_configs is not supported",
                "7: error: unknown key 'route.routs'; did you mean 'routes'?",
            ],
        ),
        (
            "a key of nobody's",
            routed("", "global: {resolv_timeout: 5m}"),
            ["2: error: unknown key 'global.resolv_timeout'; did you mean 'resolve_timeout'?"],
        ),
        (
            "what is surely not meant",
            routed(
                "routes:\n    - {matchers: [a=b], continue: true}\n    - {matchers: [a=b]}\n"
                "    - {matchers: [a=c], safety: true, routes: [{mute_time_intervals: [x]}]}",
                "time_intervals: [{name: x}]\ninhibit_rules: [{source_match: {a: b}}]",
            ),
            [
                "3: warning: inhibit_rules.0 has no target matchers: every alert is one",
                "8: warning: route.routes.1 has the matchers and the receiver of route.routes.0",
                "9: warning: route.routes.2.routes.0: time intervals are not acted on: nothing mutes a safety route",
            ],
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_routing_is_named_all_at_once(case: str, text: str, said: list[str], tmp_path: Path) -> None:
    lines = found(write(tmp_path, text))
    assert len(lines) == len(said), (case, lines)
    for line, start in zip(lines, said, strict=True):
        assert line.startswith(start), (case, line)


@pytest.mark.parametrize(
    ("text", "matchers"),
    [
        ('a="b"', [("a", "=", "b")]),
        (" a = b c , d!=e", [("a", "=", "b c"), ("d", "!=", "e")]),
        ('{a=~"x|y",b!~z,}', [("a", "=~", "x|y"), ("b", "!~", "z")]),
        ("a=", [("a", "=", "")]),
        (r'a="x\"y\\z\n\d"', [("a", "=", 'x"y\\z\n\\d')]),
        (r'a=~"\d+\."', [("a", "=~", r"\d+\.")]),
        ('a="b,c={d}"', [("a", "=", "b,c={d}")]),
        ('"edge.model"="x","a\\"b"=c', [("edge.model", "=", "x"), ('a"b', "=", "c")]),
    ],
)
def test_matchers_are_read_as_alertmanager_reads_them(text: str, matchers: list[tuple[str, str, str]]) -> None:
    assert [(m.name, m.op, m.value) for m in read_label_matchers(text)] == matchers


def test_a_mistake_after_something_that_is_not_acted_on_stands_at_its_own_line(tmp_path: Path) -> None:
    hooks = "[{url_file: x},\n {url: 'http://a'},\n {url: ftp://b},\n {url: 'http://a', send_resolvd: true},\n x]"
    lines = found(write(tmp_path, f"route: {{receiver: a}}\nreceivers:\n- name: a\n  webhook_configs: {hooks}\n"))
    assert [line.partition(": receivers")[0].partition(": unknown")[0] for line in lines] == [
        "6: error",
        "7: error",
        "8: error",
    ]


KEYS = [
    *(
        "route",
        "routes",
        "receivers",
        "receiver",
        "name",
        "webhook_configs",
        "email_configs",
        "url",
        "url_file",
        "global",
    ),
    *("group_by", "group_wait", "match", "match_re", "matchers", "continue", "safety", "mute_time_intervals", "hooks"),
    *(
        "time_intervals",
        "times",
        "start_time",
        "end_time",
        "weekdays",
        "days_of_month",
        "location",
        "inhibit_rules",
        "equal",
    ),
]
ANY = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(["", "a", "a=b", "1m", "...", "(", "1:2"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)),
    max_leaves=30,
)  # fmt: skip


@given(value=st.dictionaries(st.sampled_from(KEYS), ANY, max_size=6))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_stands_in_the_file_is_answered_with_problems(value: dict[str, object]) -> None:
    documents = read_tree(json.dumps({**value, "receivers": value.get("receivers")})).documents
    alerting, said = check_alerting(Document("alerting.yaml", documents[0]))
    assert (alerting is None) == any(p.severity == "error" for p in said)
    if alerting is not None:
        assert alerting.tree.receiver
        assert all(interval is not None for interval in alerting.intervals.values())
