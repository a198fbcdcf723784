"""alerting.yaml: what it takes, and what it refuses by name."""

from pathlib import Path

import pytest

from sloengine.config.catalogue import check_catalogue
from sloengine.config.routing import load_alerting
from sloengine.errors import ConfigError

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


def test_targets_of_the_route_have_stable_names(tmp_path: Path) -> None:
    targets = load_alerting(write(tmp_path, GOOD)).targets()
    assert {name: (str(t.url), t.send_resolved) for name, t in targets.items()} == {
        "on-call/0": ("https://pager.example/hook", True),
        "on-call/1": ("http://127.0.0.1:9/second", False),
    }


def test_a_receiver_without_targets_takes_alerts_and_sends_nothing(tmp_path: Path) -> None:
    assert load_alerting(write(tmp_path, GOOD.replace("receiver: on-call", "receiver: nobody"))).targets() == {}


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
                "1: error: route names receiver 'x'; known: on-call, on-call",
            ],
        ),
        (
            "a mistyped key",
            GOOD.replace("send_resolved", "send_resovled"),
            ["7: error: unknown key 'receivers.0.webhook_configs.1.send_resovled'; did you mean 'send_resolved'?"],
        ),
        (
            "a part of Alertmanager that is not acted on",
            GOOD + "inhibit_rules: []\n",
            ["9: error: unknown key 'inhibit_rules'"],
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
