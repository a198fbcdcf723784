"""What Alertmanager's own checker takes of routing is taken here, and what it refuses is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from sloengine.config.routing import check_alerting
from sloengine.config.yamlfile import read_documents

CHECKER = "amtool"
TIMES = "time_intervals: [{name: n, time_intervals: [{%s}]}]"
RULE = "inhibit_rules: [{%s}]"
UNDER = "routes: [{%s}]"
ROUTES = [
    "group_by: [a, b]", "group_by: ['...']", "group_by: []", "group_by: [a, a]", "group_by: [a, '...']",
    "group_wait: 0s", "group_wait: 0", "group_wait: 1m30s", "group_wait: 30s1m", "group_wait: 5", "group_wait: 1d2h",
    "group_wait: 100ms", "group_wait: 1w", "group_wait: ''", "group_wait: -1s", "group_wait: 1.5h",
    "group_interval: 0s", "repeat_interval: 0s", "repeat_interval: 1y",
    "continue: true", "continue: false", "matchers: [a=b]", "match: {a: b}", "match_re: {a: b}",
    "mute_time_intervals: [n]", "active_time_intervals: [n]", "nonsense: 1",
    UNDER % "receiver: b", UNDER % "receiver: nobody", UNDER % "continue: yes", UNDER % "mute_time_intervals: [n]",
    UNDER % "match: {a: 1}", UNDER % "match: {a: true}", UNDER % "match_re: {a: '('}", UNDER % "match_re: {a: 'x|y'}",
    UNDER % "match_re: {a: '(?i)x'}", UNDER % "match_re: {a: '(?=x)'}", UNDER % "match_re: {a: 'x++'}",
    UNDER % "matchers: []", UNDER % "matchers: ['a=b']", UNDER % "matchers: ['a=\"b\"', c!=d]",
    UNDER % "matchers: ['{a=b,c=~\"d|e\"}']", UNDER % "matchers: ['a=']", UNDER % "matchers: ['a = b c ']",
    UNDER % "matchers: ['a=\"b']", UNDER % "matchers: ['a=b\"']", UNDER % "matchers: ['a']", UNDER % "matchers: ['=b']",
    UNDER % "matchers: ['a=\"b\\\"c\"']", UNDER % "matchers: ['a=\"x\\d\"']", UNDER % "matchers: ['a=~\"\\\\d+\"']",
    UNDER % "matchers: ['a=~\"(\"']", UNDER % "matchers: ['a=b,']", UNDER % "matchers: ['1a=b']", UNDER % "matchers: ['a==b']",
    UNDER % "matchers: ['a!b']", UNDER % "matchers: ['a=\"b,c\"']", UNDER % "matchers: ['a=b}']", UNDER % "matchers: 'a=b'",
]  # fmt: skip
TOPS = [
    TIMES % "times: [{start_time: '09:00', end_time: '17:00'}]", TIMES % "times: [{start_time: '09:00', end_time: '24:00'}]",
    TIMES % "times: [{start_time: '9:00', end_time: '17:00'}]", TIMES % "times: [{start_time: '17:00', end_time: '09:00'}]",
    TIMES % "times: [{start_time: '09:00'}]", TIMES % "times: [{start_time: '24:00', end_time: '24:00'}]",
    TIMES % "weekdays: [monday, 'tuesday:friday']", TIMES % "weekdays: [Monday]", TIMES % "weekdays: ['friday:monday']",
    TIMES % "weekdays: [mon]", TIMES % "weekdays: ['1']", TIMES % "days_of_month: ['1:7', -1, '-3:-1', '5:-2']",
    TIMES % "days_of_month: [0]", TIMES % "days_of_month: [32]", TIMES % "days_of_month: ['-1:-3']",
    TIMES % "days_of_month: ['-1:1']", TIMES % "days_of_month: ['7:1']", TIMES % "days_of_month: ['28:-1']",
    TIMES % "months: [january, 'may:august', 5, '11:december']", TIMES % "months: ['may:april']", TIMES % "months: [smarch]",
    TIMES % "years: [2026, '2026:2028']", TIMES % "years: ['2028:2026']", TIMES % "years: [soon]",
    TIMES % "location: Europe/Berlin", TIMES % "location: Nowhere", TIMES % "", TIMES % "nonsense: 1",
    "time_intervals: [{time_intervals: []}]", "time_intervals: [{name: n}, {name: n}]",
    "time_intervals: [{name: n}]\nmute_time_intervals: [{name: n}]", "mute_time_intervals: [{name: n, time_intervals: []}]",
    RULE % "source_match: {a: b}, target_match: {c: d}, equal: [e]", RULE % "source_match_re: {a: 'b|c'}, target_matchers: [c=d]",
    RULE % "source_matchers: ['a'], target_matchers: [c=d]", RULE % "source_match_re: {a: '('}", RULE % "equal: [e, e]",
    RULE % "nonsense: 1", "global: {resolve_timeout: 5m}", "global: {nonsense: 1}", "templates: []", "nonsense: 1", "global: {}",
]  # fmt: skip


@pytest.fixture(scope="module")
def checker() -> str:
    found = shutil.which(CHECKER)
    if found is None:
        reason = f"{CHECKER} is not installed: make setup-system"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return found


@pytest.mark.parametrize(
    "text",
    [
        *(f"route:\n  receiver: a\n  {route}\nreceivers: [{{name: a}}, {{name: b}}]\n" for route in ROUTES),
        *(f"route:\n  receiver: a\nreceivers: [{{name: a}}]\n{top}\n" for top in TOPS),
        "route: {}\nreceivers: [{name: a}]\n",
        "route: {receiver: a}\nreceivers: [{name: a}, {name: a}]\n",
        "route: {receiver: a}\nreceivers: [{name: b}]\n",
    ],
)
def test_both_take_or_refuse_it(text: str, checker: str, tmp_path: Path) -> None:
    if "[n]" in text:
        text += "time_intervals: [{name: n}]\n"
    file = tmp_path / "alertmanager.yml"
    file.write_text(text, encoding="utf-8")
    theirs = subprocess.run([checker, "check-config", str(file)], capture_output=True, text=True, check=False)
    _, said = check_alerting(read_documents(file)[0])
    errors = [str(p) for p in said if p.severity == "error"]
    assert (not errors) == (theirs.returncode == 0), (text, errors, theirs.stderr + theirs.stdout)
