"""Alertmanager: what a real one holds after we told it, and a stub's answers to some alerts of many."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sloengine.alert.notification import Notification
from sloengine.errors import DeliveryError
from sloengine.notify import alertmanager
from sloengine.notify.alertmanager import AHEAD, BATCH_MAX, AlertmanagerConfig, messages, send
from tests.alertmanager.alertmanager_rig import PROGRAM, Alertmanager, program
from tests.notify.notifications import BEGAN, BURN, burn_page, many, of, resolved
from tests.notify.receivers import Got, Reply, answering, receiver


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if program() is None:
        reason = f"{PROGRAM} is not installed: make setup-system"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    config = {"route": {"receiver": "none", "group_by": ["model"]}, "receivers": [{"name": "none"}]}
    running = Alertmanager(tmp_path_factory.mktemp("alertmanager"), config)
    yield running.url
    running.close()


def held(url: str, **labels: str) -> list[dict[str, Any]]:
    """Alerts that it holds and that have not ended."""
    filters = [("filter", f'{name}="{value}"') for name, value in labels.items()]
    found: list[dict[str, Any]] = httpx.get(f"{url}/api/v2/alerts", params=filters, trust_env=False).json()
    return found


def tell(url: str, notification: Notification, at: datetime) -> None:
    config = AlertmanagerConfig.model_validate({"url": url})
    with httpx.Client(trust_env=False) as client:
        for message in messages(notification, config):
            send(client, config, message, "k", at)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def test_a_real_one_holds_what_fires_a_while_ahead_and_lets_go_of_what_is_over(real: str) -> None:
    at = now()
    alerts = [replace(a, started_at=at - timedelta(minutes=5), ended_at=None) for a in many(150)]
    tell(real, of(alerts), at)
    found = held(real, slo="digits-success")
    assert {a["labels"]["device"] for a in found} == {a.labels["device"] for a in alerts}
    assert {datetime.fromisoformat(a["endsAt"]) for a in found} == {at + AHEAD}
    assert {datetime.fromisoformat(a["startsAt"]) for a in found} == {at - timedelta(minutes=5)}
    assert found[0]["generatorURL"] == "https://slo.example/#digits-success"
    tell(real, of([resolved(a, at) for a in alerts]), at)
    assert held(real, slo="digits-success") == []


def test_a_real_one_takes_names_that_it_has_no_form_for(real: str) -> None:
    at = now()
    labels = BURN | {
        "slo": "names",
        "hw.gpu.driver": "1.2",
        "hw_gpu_driver": "other",
        "0day": "x",
        "empty": "",
        "ключ": "я",
    }
    tell(real, of([replace(burn_page(labels), started_at=at, annotations={"edge.note": "\ud83d bad"})]), at)
    (alert,) = held(real, slo="names")
    names = set(alert["labels"]) - set(BURN)
    assert {name.partition("_driver_")[0] for name in names} == {"hw_gpu", "hw_gpu_driver", "_0day", "____"}
    assert alert["annotations"] == {"edge_note": "\ufffd bad"}


def test_a_real_one_refuses_one_of_many_and_the_others_are_there(real: str) -> None:
    at = now()
    good = [replace(a, started_at=at, ended_at=None, labels=a.labels | {"slo": "partly"}) for a in many(5)]
    config = AlertmanagerConfig.model_validate({"url": real})
    (message,) = messages(of(good), config)
    # Without labels an alert is none: what our own alerts can't be.
    body = json.dumps([{"labels": {}, "startsAt": at.isoformat()}, *json.loads(message.body)])
    with httpx.Client(trust_env=False) as client, pytest.raises(DeliveryError) as caught:
        send(client, config, replace(message, body=body), "k", at)
    assert not caught.value.retryable
    assert "1 of 6 alerts are refused" in str(caught.value)
    assert len(held(real, slo="partly")) == 5


def test_many_are_sent_in_batches_with_one_order() -> None:
    found = messages(of(many(150)), AlertmanagerConfig.model_validate({"url": "http://x"}))
    assert [len(json.loads(m.body)) for m in found] == [BATCH_MAX, BATCH_MAX, 150 - 2 * BATCH_MAX]
    assert {m.order_key for m in found} == {of(many(1)).group_key}
    next_incident = replace(of([burn_page()]), dedup_key="another")
    assert (
        messages(next_incident, AlertmanagerConfig.model_validate({"url": "http://x"}))[0].order_key
        == of(many(1)).group_key
    )


def test_a_firing_alert_ends_after_it_is_sent_whenever_that_is() -> None:
    with receiver(answering(200)) as there:
        tell(f"{there.url}/prefix/", of([burn_page(), resolved(burn_page())]), BEGAN + timedelta(hours=2))
    (got,) = there.got
    assert got.path == "/prefix/api/v2/alerts"
    firing, over = got.json
    assert firing["endsAt"] == (BEGAN + timedelta(hours=2) + AHEAD).isoformat()
    assert over["endsAt"] == (BEGAN + timedelta(minutes=53, seconds=53)).isoformat()


def test_alerts_that_are_sent_alone_after_a_refusal_and_meet_trouble_are_all_tried_again() -> None:
    def judge(got: Got) -> Reply:
        devices = [alert["labels"]["device"] for alert in got.json]
        return Reply(400) if len(devices) > 1 else Reply(503 if devices == ["jetson-0001"] else 200)

    with receiver(judge) as there, pytest.raises(DeliveryError) as caught:
        tell(there.url, of(many(3)), BEGAN)
    assert caught.value.retryable


def test_alerts_are_not_sent_alone_for_longer_than_a_claim_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alertmanager, "POLICY", replace(alertmanager.POLICY, timeout_s=0.1))
    with receiver(lambda got: Reply(400, wait_s=0.08)) as there, pytest.raises(DeliveryError) as caught:
        tell(there.url, of(many(20)), BEGAN)
    assert (caught.value.retryable, len(there.got) < 6) == (True, True)


def test_a_refusal_of_the_batch_alone_is_no_refusal_of_an_alert() -> None:
    with receiver(lambda got: Reply(400 if len(got.json) > 1 else 200)) as there:
        tell(there.url, of(many(3)), BEGAN)
    assert len(there.got) == 4


def test_it_is_told_again_before_what_it_holds_ends() -> None:
    resend_s = alertmanager.POLICY.resend_s
    assert resend_s is not None
    assert timedelta(seconds=3 * resend_s) < AHEAD
    assert alertmanager.POLICY.resolve_resend_s >= 300
