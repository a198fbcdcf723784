"""Settings of receivers as Alertmanager's files have them: what loads, is warned of, is refused, and is never shown."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sloengine.notify.settings import HttpConfig, files_of, warnings_of
from sloengine.notify.targets import TARGETS

KEY = "k" * 32
ALERTMANAGER: Mapping[str, dict[str, Any]] = {
    "pagerduty_configs": {
        "routing_key": KEY,
        "description": '{{ template "pagerduty.default.description" . }}',
        "severity": "{{ .CommonLabels.severity }}",
        "class": "{{ .CommonLabels.alertname }}",
        "component": "edge",
        "details": {"firing": "{{ .Alerts.Firing | len }}"},
        "http_config": {"proxy_url": "http://proxy:3128"},
    },
    "opsgenie_configs": {
        "api_key": KEY,
        "api_url": "https://api.eu.opsgenie.com/",
        "message": "{{ .CommonAnnotations.summary }}",
        "priority": "P2",
        "responders": [{"name": "ml", "type": "team"}],
        "tags": "edge,ml",
        "update_alerts": True,
    },
    "slack_configs": {
        "api_url": f"https://hooks.slack.example/services/{KEY}",
        "channel": "#alerts",
        "title": "{{ .CommonLabels.alertname }}",
        "text": "{{ range .Alerts }}{{ .Annotations.description }}{{ end }}",
        "send_resolved": True,
        "link_names": True,
    },
    "email_configs": {
        "to": "on-call@example.org",
        "from": "slo@example.org",
        "smarthost": "mail.example.org:587",
        "auth_username": "slo",
        "auth_password": KEY,
        "auth_identity": "slo",
        "headers": {"Subject": "{{ .CommonLabels.alertname }}", "X-Team": "ml"},
        "html": '{{ template "email.default.html" . }}',
        "tls_config": {"ca_file": "/etc/ca.pem", "server_name": "mail"},
    },
    "webhook_configs": {
        "url": f"https://pager.example/{KEY}",
        "max_alerts": 10,
        "timeout": "10s",
        "http_config": {"basic_auth": {"username": "u", "password": KEY}, "follow_redirects": True},
    },
    "alertmanager_configs": {"url": "http://alertmanager:9093"},
}
WARNED: Mapping[str, list[str]] = {
    "pagerduty_configs": ["class", "description", "details", "http_config.proxy_url", "routing_key", "severity"],
    "opsgenie_configs": ["api_key", "message", "update_alerts"],
    "slack_configs": ["api_url", "link_names", "text", "title"],
    "email_configs": ["auth_identity", "auth_password", "headers.Subject", "html", "tls_config.server_name"],
    "webhook_configs": ["http_config.basic_auth.password", "http_config.follow_redirects"],
    "alertmanager_configs": [],
}  # fmt: skip


@pytest.mark.parametrize("name", TARGETS)
def test_alertmanagers_settings_load_and_what_is_not_acted_on_is_named(name: str) -> None:
    given = ALERTMANAGER[name]
    TARGETS[name].settings.model_validate(given)
    warned = {".".join(map(str, path)): words for path, words in warnings_of(TARGETS[name].settings, given)}
    assert sorted(warned) == WARNED[name]
    assert all(path.rpartition(".")[2] in words for path, words in warned.items())
    assert KEY not in json.dumps(warned)


@pytest.mark.parametrize("name", TARGETS)
def test_no_form_of_settings_shows_a_secret(name: str) -> None:
    config = TARGETS[name].settings.model_validate(ALERTMANAGER[name])
    assert KEY not in f"{config!r} {config} {config.model_dump_json()} {config.model_dump()}"


@pytest.mark.parametrize("name", TARGETS)
def test_a_key_that_nobody_knows_is_refused(name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TARGETS[name].settings.model_validate(ALERTMANAGER[name] | {"rooting_key": KEY})
    assert [error["type"] for error in caught.value.errors()] == ["extra_forbidden"]


SECRETS = [(name, secret) for name, target in TARGETS.items() for secret in target.settings.SECRETS]


@pytest.mark.parametrize(("name", "secret"), SECRETS)
def test_a_secret_is_given_in_one_form_and_a_needed_one_in_some(name: str, secret: str) -> None:
    model, given = TARGETS[name].settings, {k: v for k, v in ALERTMANAGER[name].items() if k != secret}
    for form, value in ((f"{secret}_file", "/run/secret"), (f"{secret}_env", "SECRET")):
        model.model_validate(given | {form: value})
        assert list(warnings_of(model, {form: value})) == []
    with pytest.raises(ValidationError, match="say the same"):
        model.model_validate(given | {f"{secret}_file": "/run/secret", f"{secret}_env": "SECRET"})
    if secret in model.NEEDED:
        with pytest.raises(ValidationError, match="is needed"):
            model.model_validate(given)


def test_an_integration_of_pagerdutys_first_api_is_named_and_is_none() -> None:
    model = TARGETS["pagerduty_configs"].settings
    ((path, words),) = warnings_of(model, {"service_key": KEY})
    assert (path, "v2" in words, KEY in words) == (("service_key",), True, False)
    with pytest.raises(ValidationError, match="routing_key"):
        model.model_validate({"service_key": KEY})


def test_a_request_shows_one_thing_of_who_sends_it() -> None:
    with pytest.raises(ValidationError, match="basic_auth and bearer_token"):
        HttpConfig.model_validate({"basic_auth": {"username": "u"}, "bearer_token": "t"})


@pytest.mark.parametrize(("written", "seconds"), [("10s", 10.0), ("1m", 60.0), ("0s", None), (5, 5.0), (None, None)])
def test_a_webhooks_timeout_is_written_as_alertmanager_does(written: object, seconds: float | None) -> None:
    model = TARGETS["webhook_configs"].settings
    config = model.model_validate({"url": "http://x", "timeout": written})
    assert getattr(config, "timeout", 0) == seconds


@pytest.mark.parametrize("written", ["soon", "2m", -1, "10"])
def test_a_timeout_that_is_none_or_would_hold_a_queue_is_refused(written: object) -> None:
    with pytest.raises(ValidationError):
        TARGETS["webhook_configs"].settings.model_validate({"url": "http://x", "timeout": written})


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("webhook_configs", {"url": "ftp://x"}),
        ("webhook_configs", {"url": "pager"}),
        ("webhook_configs", {"max_alerts": -1}),
        ("opsgenie_configs", {"responders": [{"type": "team"}]}),
        ("opsgenie_configs", {"responders": [{"type": "gang", "name": "x"}]}),
        ("opsgenie_configs", {"responders": [{"type": "team", "name": "{{ .x }}"}]}),
        ("opsgenie_configs", {"priority": "P6"}),
        ("slack_configs", {"channel": "#" * 100}),
    ],
)
def test_settings_that_are_none_are_refused_without_showing_secrets(name: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TARGETS[name].settings.model_validate(ALERTMANAGER[name] | wrong)


def test_files_that_settings_name_are_found_wherever_they_stand() -> None:
    given = {"url_file": "/a", "http_config": {"basic_auth": {"username": "u", "password_file": "/b"}}}
    config = TARGETS["webhook_configs"].settings.model_validate(given)
    assert dict(files_of(config)) == {
        ("url_file",): Path("/a"),
        ("http_config", "basic_auth", "password_file"): Path("/b"),
    }


def test_every_target_has_the_same_rules_for_its_model() -> None:
    for name, target in TARGETS.items():
        fields = {field.alias or key for key, field in target.settings.model_fields.items()}
        assert name.endswith("_configs")
        assert set(target.settings.NEEDED) <= set(target.settings.SECRETS)
        assert not fields & set(target.settings.IGNORED)
        for secret in target.settings.SECRETS:
            assert {secret, f"{secret}_file", f"{secret}_env"} <= fields
