"""Each target against a receiver that holds it to its vendor's documentation, with ordinary, huge and hostile notifications."""

import json
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sloengine.alert.notification import Notification, Told
from sloengine.notify import slack
from sloengine.notify.message import Message
from sloengine.notify.targets import GLOBALS, TARGETS, with_globals
from sloengine.signing import is_signed
from tests.notify.notifications import BEGAN, BURN, SAMPLES, burn_page, drift_ticket, many, of, resolved
from tests.notify.receivers import (
    Got,
    Judge,
    Receiver,
    answering,
    opsgenie,
    opsgenie_wrong,
    pagerduty,
    pagerduty_wrong,
    receiver,
)
from tests.notify.receivers import slack as slack_receiver
from tests.notify.test_notify_http import AT, KEY, config_of, refusal

STRICT: dict[str, Judge] = {
    "pagerduty_configs": pagerduty,
    "opsgenie_configs": opsgenie,
    "slack_configs": slack_receiver,
}
ANY = st.text(alphabet=st.characters(exclude_categories=()), max_size=80)
LONG = st.builds(lambda text, times: text * times, ANY, st.integers(1, 400))


def huge() -> Notification:
    """Three hundred alerts of which each has more text than most targets take."""
    alerts = [replace(a, annotations={**a.annotations, "description": "Ω😀<&> " * 3_000}) for a in many(300)]
    return of([replace(a, labels={**a.labels, f"label-{n}": "x" * 500}) for n, a in enumerate(alerts)])


def verbose() -> Notification:
    """Everything that can be said is long, and of signs that Slack and HTML need more for."""
    told = ("summary", "description", "versions", "nodes", "why", "changes", "owner", "failures")
    alerts = [replace(a, annotations={**a.annotations, **dict.fromkeys(told, "<&> 😀 " * 2_000)}) for a in many(100)]
    return of([replace(a, labels={**a.labels, "rollout": "<&>" * 300}) for a in alerts])


NOTIFICATIONS = {
    **SAMPLES,
    "huge": huge(),
    "verbose": verbose(),
    "long_key": replace(of([burn_page()]), dedup_key="k" * 900),
}


def sent(name: str, notification: Notification, there: Receiver, **more: object) -> list[Message]:
    config = config_of(name, there.url, **more)
    found = TARGETS[name].messages(notification, config)
    with httpx.Client(trust_env=False) as client:
        for n, message in enumerate(found):
            TARGETS[name].send(client, config, message, f"key/{n}", AT)
    return found


@pytest.mark.parametrize("name", STRICT)
@pytest.mark.parametrize("which", NOTIFICATIONS)
def test_a_strict_receiver_takes_it(name: str, which: str) -> None:
    with receiver(STRICT[name]) as there:
        (message,) = sent(name, NOTIFICATIONS[which], there)
    assert len(there.got) == 1
    assert Message.from_json(message.to_json()) == message


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    labels=st.dictionaries(ANY, LONG, max_size=30),
    annotations=st.dictionaries(ANY, LONG, max_size=5),
    summary=LONG,
    key=LONG.filter(bool),
)
def test_no_labels_make_a_request_that_a_vendor_would_refuse(
    labels: dict[str, str], annotations: dict[str, str], summary: str, key: str
) -> None:
    alert = Told(key, labels, annotations | {"summary": summary}, BEGAN, None)
    for alerts in ([alert], [alert, burn_page()]):
        notification = replace(of(alerts), dedup_key=key)
        for name, wrong in (("pagerduty_configs", pagerduty_wrong), ("opsgenie_configs", opsgenie_wrong)):
            (message,) = TARGETS[name].messages(notification, config_of(name, "http://x"))
            body = {"routing_key": KEY} | json.loads(message.body) if "pager" in name else json.loads(message.body)
            path = "/v2/enqueue" if "pager" in name else f"/{message.address}"
            assert wrong(Got(path, {"Content-Type": "application/json"}, json.dumps(body).encode())) == []
        (message,) = TARGETS["slack_configs"].messages(notification, config_of("slack_configs", "http://x"))
        assert slack_receiver(Got("/", {}, message.body.encode())).status == 200


# --- PagerDuty


def event_of(notification: Notification) -> dict[str, object]:
    (message,) = TARGETS["pagerduty_configs"].messages(notification, config_of("pagerduty_configs", "http://x"))
    found: dict[str, object] = json.loads(message.body)
    return found


def test_a_page_says_where_it_is_and_whose_it_is() -> None:
    event = event_of(of([burn_page(BURN | {"device": "jetson-1", "rollout": "r-7"})]))
    payload = {k: v for k, v in event["payload"].items() if k not in ("custom_details", "summary")}
    assert payload == {
        "source": "jetson-1",
        "severity": "critical",
        "timestamp": BEGAN.isoformat(),
        "component": "digits-classifier",
        "group": "r-7",
        "class": "ErrorBudgetBurn",
    }
    assert event["client_url"] == "https://slo.example/#digits-success"
    assert [link["text"] for link in event["links"]] == ["Runbook", "Dashboard", "Console"]


def test_a_ticket_is_a_warning_and_low_in_opsgenie() -> None:
    assert event_of(of([drift_ticket()]))["payload"]["severity"] == "warning"
    (message,) = TARGETS["opsgenie_configs"].messages(of([drift_ticket()]), config_of("opsgenie_configs", "http://x"))
    assert json.loads(message.body)["priority"] == "P3"


def test_a_group_that_is_over_is_resolved_and_one_that_is_partly_over_is_not() -> None:
    over = [resolved(alert) for alert in many(3)]
    assert event_of(of(over)) == {"event_action": "resolve", "dedup_key": of(over).dedup_key}
    assert event_of(of([*over, burn_page()]))["event_action"] == "trigger"


def test_of_alerts_that_do_not_fit_in_a_body_whole_ones_are_kept_and_the_others_counted() -> None:
    notification = huge()
    details = event_of(notification)["payload"]["custom_details"]
    kept = details["alerts"]
    assert details["alerts_left_out"] == 300 - len(kept) > 0
    assert kept[0]["labels"]["device"] == "jetson-0217"
    assert all(alert["annotations"]["summary"].endswith(")") for alert in kept)
    assert len(json.dumps(event_of(notification))) > 400_000


def test_a_small_group_has_all_its_alerts_and_counts_none() -> None:
    details = event_of(of(many(30)))["payload"]["custom_details"]
    assert (len(details["alerts"]), "alerts_left_out" in details) == (30, False)


@pytest.mark.parametrize("name", ["pagerduty_configs", "opsgenie_configs"])
def test_an_incident_that_somebody_took_on_is_acknowledged(name: str) -> None:
    acknowledge = TARGETS[name].acknowledgement
    assert acknowledge is not None
    with receiver(STRICT[name]) as there, httpx.Client(trust_env=False) as client:
        config = config_of(name, there.url)
        trigger, end = (TARGETS[name].messages(of([a]), config)[0] for a in (burn_page(), resolved(burn_page())))
        message = acknowledge(of([burn_page()]).dedup_key, config)
        TARGETS[name].send(client, config, message, "k", AT)
    assert message.action == "acknowledge"
    assert message.order_key == trigger.order_key == end.order_key


# --- Opsgenie


def test_an_alias_is_part_of_the_address_and_can_not_leave_it() -> None:
    alert = replace(of([resolved(burn_page())]), dedup_key="a/../b?c#d")
    with receiver(opsgenie) as there:
        sent("opsgenie_configs", alert, there)
    assert there.got[0].path == "/v2/alerts/a%2F..%2Fb%3Fc%23d/close?identifierType=alias"


def test_opsgenie_knows_who_is_to_be_told_and_what_it_is_tagged_with() -> None:
    more = {"responders": [{"type": "team", "name": "ml"}], "tags": "edge, x" + "y" * 60, "priority": "P1"}
    with receiver(opsgenie) as there:
        sent("opsgenie_configs", of([burn_page()]), there, **more)
    alert = there.got[0].json
    assert there.got[0].headers["Authorization"] == f"GenieKey {KEY}"
    assert (alert["responders"], alert["priority"]) == ([{"type": "team", "name": "ml"}], "P1")
    assert alert["tags"] == [
        *("edge", "severity:page", "alertname:ErrorBudgetBurn", "service:digits", "model:digits-classifier"),
        *("region:eu-north", "cluster:edge"),
    ]


# --- Slack


@pytest.mark.parametrize("body", slack.FINAL)
@pytest.mark.parametrize("status", [200, 404, 500])
def test_an_error_that_slack_means_is_final_whatever_its_status(body: str, status: int) -> None:
    with receiver(answering(status, body)) as there:
        error = refusal("slack_configs", there)
    assert (error.retryable, body in str(error)) == (False, True)


@pytest.mark.parametrize(
    ("status", "body", "retryable"),
    [
        (200, "", True),
        (200, "<html>Sign in</html>", True),
        (200, '{"ok": false, "error": "channel_not_found"}', False),
        (200, '{"ok": false, "error": "internal_error"}', True),
        (500, "rollup_error", True),
        (429, "rate_limited", True),
        (400, "something_new", False),
        (404, "ok", False),
    ],
)
def test_only_200_ok_is_a_delivery_to_slack(status: int, body: str, retryable: bool) -> None:
    with receiver(answering(status, body)) as there:
        assert refusal("slack_configs", there).retryable == retryable


@pytest.mark.parametrize("body", ["ok", "OK\n", '{"ok": true}'])
def test_slack_took_it(body: str) -> None:
    with receiver(answering(200, body)) as there:
        sent("slack_configs", of([burn_page()]), there)


def test_labels_can_name_nobody_in_slack() -> None:
    hostile = "<!channel> <@U123> <http://evil|good> & @here"
    alert = burn_page(BURN | {"device": hostile})
    alert = replace(alert, annotations={**alert.annotations, "summary": hostile, "runbook": "https://x/?a=1&b=<!here>"})
    (message,) = TARGETS["slack_configs"].messages(of([alert, burn_page()]), config_of("slack_configs", "http://x"))
    body = json.loads(message.body)
    texts = [body["text"], *(block["text"]["text"] for block in body["blocks"])]
    links = [text for text in texts if text.startswith("<")]
    assert links == [
        "<https://grafana.example/d/sloengine-on-call?var-region=eu-north&amp;var-model=digits-classifier&amp;from=1772589967000&amp;to=now"
        "|Dashboard> · <https://slo.example/#digits-success|Console>"
    ]
    assert not any("<" in text or ">" in text for text in texts if text not in links)
    assert any("&lt;!channel&gt;" in text for text in texts)
    assert "link_names" not in body
    assert all(block["text"]["verbatim"] for block in body["blocks"])


def test_slack_and_mail_are_told_of_an_end_only_if_that_is_asked_for() -> None:
    over = of([resolved(burn_page())])
    config = TARGETS["slack_configs"].settings.model_validate({"api_url": "http://x"})
    assert TARGETS["slack_configs"].messages(over, config) == []
    (message,) = TARGETS["slack_configs"].messages(of([*over.alerts, burn_page()]), config)
    assert "RESOLVED" not in message.body
    (message,) = TARGETS["slack_configs"].messages(over, config_of("slack_configs", "http://x"))
    assert "RESOLVED: " in json.loads(message.body)["text"]


# --- webhook


def test_the_webhook_has_all_of_the_group_or_the_worst_of_it_and_the_number_of_the_others() -> None:
    with receiver(answering(200)) as there:
        sent("webhook_configs", of(many(300), truncated=2), there)
        sent("webhook_configs", of(many(300), truncated=2), there, max_alerts=5)
    whole, short = (got.json for got in there.got)
    assert (len(whole["alerts"]), whole["truncatedAlerts"]) == (300, 2)
    assert (len(short["alerts"]), short["truncatedAlerts"]) == (5, 297)
    assert short["groupKey"] == of(many(1)).group_key
    assert short["groupLabels"] == {"cluster": "edge", "model": "digits-classifier"}
    assert short["commonLabels"] == BURN
    assert "sloengine-000000000000000000d9-1" in {alert["fingerprint"] for alert in short["alerts"]}


def test_a_webhook_is_signed_if_there_is_a_secret(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("whsec_c2VjcmV0")
    with receiver(answering(200)) as there:
        sent("webhook_configs", of([burn_page()]), there, secret_file=str(tmp_path / "secret"))
    (got,) = there.got
    identity, stamp = got.headers["webhook-id"], got.headers["webhook-timestamp"]
    assert (identity, stamp) == ("key/0", str(int(AT.timestamp())))
    assert is_signed(got.headers["webhook-signature"], b"secret", identity, stamp, got.body)


def test_a_webhook_without_a_secret_is_not_signed() -> None:
    with receiver(answering(200)) as there:
        sent("webhook_configs", of([burn_page()]), there)
    assert "webhook-signature" not in there.got[0].headers


# --- order


@pytest.mark.parametrize("name", sorted(set(TARGETS) - {"email_configs"}))
def test_an_incident_and_its_end_are_sent_in_order(name: str) -> None:
    config = config_of(name, "http://x")
    began, over = (TARGETS[name].messages(of([a]), config)[0] for a in (burn_page(), resolved(burn_page())))
    assert began.order_key == over.order_key


def test_policies_grow_their_wait_to_the_most_and_no_further() -> None:
    for target in TARGETS.values():
        waits = [target.policy.backoff_s(n) for n in range(1, 2_000)]
        assert waits[0] == target.policy.backoff_first_s
        assert waits == sorted(waits)
        assert waits[-1] == target.policy.backoff_most_s


# --- settings


def test_a_global_secret_stands_in_only_where_the_receiver_says_nothing() -> None:
    shared = {"slack_api_url": "http://all", "smtp_from": "a@b", "opsgenie_api_key": "k"}
    assert with_globals("slack_configs", {}, shared) == {"api_url": "http://all"}
    assert with_globals("slack_configs", {"api_url_file": "f"}, shared) == {"api_url_file": "f"}
    assert with_globals("slack_configs", {"api_url_env": "E"}, shared) == {"api_url_env": "E"}
    assert with_globals("email_configs", {"to": "x@y"}, shared) == {"to": "x@y", "from": "a@b"}
    assert with_globals("webhook_configs", {"url": "u"}, shared) == {"url": "u"}


def test_every_global_key_stands_in_for_a_key_that_there_is() -> None:
    for key, pairs in GLOBALS.items():
        fields = TARGETS[key].settings.model_fields
        assert {own for _, own in pairs} <= {field.alias or name for name, field in fields.items()}
