"""docs/targets.md names every key, every policy and every error that decides."""

import re
from pathlib import Path

import pytest

from sloengine.notify import slack
from sloengine.notify.email import TlsConfig
from sloengine.notify.settings import HttpConfig, Secretive
from sloengine.notify.targets import GLOBALS, TARGETS

TEXT = (Path(__file__).parents[2] / "docs" / "targets.md").read_text(encoding="utf-8")
KEYS = TEXT.partition("\n## Keys\n")[2].partition("\n## ")[0]
ROWS = {re.sub("[`| ]", "", row.split("|")[1].split("(")[0]): row for row in KEYS.splitlines() if row.startswith("|")}
MODELS: dict[str, type[Secretive]] = {name: target.settings for name, target in TARGETS.items()}


@pytest.mark.parametrize(
    ("name", "model"), [*MODELS.items(), ("http_config", HttpConfig), ("email_configs", TlsConfig)]
)
def test_every_key_of_a_target_is_told(name: str, model: type[Secretive]) -> None:
    forms = {f"{secret}{form}" for secret in model.SECRETS for form in ("_file", "_env")}
    keys = {field.alias or key for key, field in model.model_fields.items()} | set(model.IGNORED)
    told = set(re.findall(r"`([a-z_0-9]+)`", ROWS[name] + ROWS["all"]))
    assert keys - forms - told == set()


def test_no_key_is_told_that_there_is_not() -> None:
    known = {
        "type",
        "id",
        "name",
        "username",
        "credentials",
        "password",
        "true",
        "false",
        "ca_file",
        *TlsConfig.IGNORED,
    }
    for name, model in {**MODELS, "http_config": HttpConfig}.items():
        keys = {field.alias or key for key, field in model.model_fields.items()} | set(model.IGNORED) | known
        keys |= {"http_config", "insecure_skip_verify", name}
        assert set(re.findall(r"`([a-z_0-9]+)`", ROWS[name])) - keys == set()


def test_every_secret_is_told() -> None:
    part = TEXT.partition("\n## Secrets\n")[2].partition("\n## ")[0]
    for name, model in MODELS.items():
        for secret in model.SECRETS:
            assert re.search(rf"^\| `{name}` \|.*`{secret}`", part, re.MULTILINE)
    globals_told = set(re.findall(r"`([a-z_]+)`", part))
    assert {key.removesuffix("_file") for pairs in GLOBALS.values() for key, _ in pairs} <= globals_told


def test_every_policy_is_told_as_it_is() -> None:
    part = TEXT.partition("| target | messages a second")[2]
    names = {"pagerduty": "PagerDuty", "opsgenie": "Opsgenie", "slack": "Slack", "alertmanager": "Alertmanager"}
    for key, target in TARGETS.items():
        short, policy = key.removesuffix("_configs"), target.policy
        (row,) = re.findall(rf"^\| {names.get(short, short)} \|(.*)$", part.partition("\n## ")[0], re.MULTILINE)
        cells = [cell.strip() for cell in row.split("|")]
        assert cells[0].startswith(f"{policy.rate_per_s:g}, {policy.burst}")
        most = f"{policy.backoff_most_s / 60:g} min"
        assert cells[1].startswith(f"{policy.backoff_first_s:g} s, {policy.backoff_factor:g}, {most}")
        assert cells[3].startswith(f"{policy.timeout_s:g} s")


def test_errors_of_slack_that_are_told_are_final() -> None:
    (row,) = re.findall(r"^\| Slack \| 200.*$", TEXT, re.MULTILINE)
    final = row.split("|")[4]
    assert set(re.findall(r"`([a-z_]+)`", final)) <= set(slack.FINAL)
