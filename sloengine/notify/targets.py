"""All targets: by the key of their settings in a receiver, what each is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from sloengine.alert.notification import Notification
from sloengine.notify import alertmanager, email, opsgenie, pagerduty, slack, webhook
from sloengine.notify.message import Message, Policy
from sloengine.notify.settings import TargetConfig


@dataclass(frozen=True, slots=True)
class Target:
    """One way to tell somebody. ``config`` is always an instance of ``settings``."""

    settings: type[TargetConfig]
    policy: Policy
    messages: Callable[[Notification, Any], list[Message]]
    """Pure; empty if the target is not told."""
    send: Callable[[httpx.Client, Any, Message, str, datetime], None]
    """(client, config, message, idempotency key, now); raises ``DeliveryError``."""
    acknowledgement: Callable[[str, Any], Message] | None = None
    """(dedup key, config): that somebody has taken an incident on; None where a target has no such thing."""


TARGETS: Mapping[str, Target] = {
    "pagerduty_configs": Target(
        pagerduty.PagerDutyConfig, pagerduty.POLICY, pagerduty.messages, pagerduty.send, pagerduty.acknowledgement
    ),
    "opsgenie_configs": Target(
        opsgenie.OpsgenieConfig, opsgenie.POLICY, opsgenie.messages, opsgenie.send, opsgenie.acknowledgement
    ),
    "alertmanager_configs": Target(
        alertmanager.AlertmanagerConfig, alertmanager.POLICY, alertmanager.messages, alertmanager.send
    ),
    "slack_configs": Target(slack.SlackConfig, slack.POLICY, slack.messages, slack.send),
    "webhook_configs": Target(webhook.WebhookConfig, webhook.POLICY, webhook.messages, webhook.send),
    "email_configs": Target(email.EmailConfig, email.POLICY, email.messages, email.send),
}

GLOBALS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "pagerduty_configs": (("pagerduty_url", "url"),),
    "opsgenie_configs": (
        ("opsgenie_api_url", "api_url"),
        ("opsgenie_api_key", "api_key"),
        ("opsgenie_api_key_file", "api_key_file"),
    ),
    "slack_configs": (("slack_api_url", "api_url"), ("slack_api_url_file", "api_url_file")),
    "email_configs": (
        ("smtp_from", "from"),
        ("smtp_smarthost", "smarthost"),
        ("smtp_hello", "hello"),
        ("smtp_auth_username", "auth_username"),
        ("smtp_auth_password", "auth_password"),
        ("smtp_auth_password_file", "auth_password_file"),
        ("smtp_require_tls", "require_tls"),
        ("smtp_tls_config", "tls_config"),
    ),
}
"""Keys of Alertmanager's ``global`` section, and the key of each receiver's settings that they stand in for."""


def with_globals(key: str, given: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """One receiver's settings as written, with what the ``global`` section says where they say nothing.

    A secret that is written here in any of its forms is not given twice.
    """
    filled = dict(given)
    for name, own in GLOBALS.get(key, ()):
        said = {own, *(f"{_stem(own)}{form}" for form in ("", "_file", "_env"))}
        if name in shared and not said & given.keys():
            filled[own] = shared[name]
    return filled


def _stem(key: str) -> str:
    return key.removesuffix("_file")
