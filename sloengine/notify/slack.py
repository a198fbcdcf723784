"""Slack, incoming webhooks: one message for each notification. It has no key to recognise a repeated one by: at least once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import httpx
from pydantic import Field, HttpUrl, Secret

from sloengine.alert.notification import FIRING, Notification
from sloengine.notify.cutting import clean, cut, units
from sloengine.notify.http import JSON, KEY, Answer, Request, ask, authorization, refused, retryable_status, secrets_of
from sloengine.notify.message import Message, Policy
from sloengine.notify.settings import TEXTS, HttpConfig, TargetConfig
from sloengine.notify.text import FACT_MAX, Text, listing, severity_rank, text_of, worst_first

TITLE_MAX, SECTION_MAX, BLOCKS_MAX = 200, 3_000, 50
FACTS_MAX, LINKS_MAX, LIST_MAX = 5_600, 3_000, 3_000
"""Of a message, all of which is at most 12,000: from about 13,000 on Slack answers ``msg_blocks_too_long``, which its pages don't
tell."""
POLICY = Policy(
    rate_per_s=1.0,
    burst=1,
    backoff_first_s=5.0,
    backoff_factor=2.0,
    backoff_most_s=300.0,
    timeout_s=10.0,
    throttled_s=30.0,
)
FINAL = (
    *(
        "no_service",
        "no_service_id",
        "no_team",
        "team_disabled",
        "no_active_hooks",
        "invalid_token",
        "action_prohibited",
    ),
    *(
        "invalid_payload",
        "invalid_blocks",
        "invalid_blocks_format",
        "no_text",
        "missing_text_or_fallback_or_attachments",
    ),
    *("too_many_attachments", "msg_blocks_too_long", "user_not_found", "channel_not_found", "channel_is_archived"),
    "posting_to_general_channel_denied",
)
"""Errors that stay, whatever the status they come with."""
_MARKS = (":red_circle:", ":large_orange_circle:", ":large_yellow_circle:", ":large_blue_circle:")
_OVER = ":large_green_circle:"


class SlackConfig(TargetConfig):
    SECRETS = NEEDED = ("api_url",)
    IGNORED: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(
            ("title", "title_link", "pretext", "text", "fields", "short_fields", "footer", "fallback"), TEXTS
        ),
        **dict.fromkeys(
            ("color", "image_url", "thumb_url", "callback_id", "mrkdwn_in", "actions", "edit_messages"), TEXTS
        ),
        "link_names": "a label that is called @channel must not wake a channel",
    }
    send_resolved: bool = False
    """As in Alertmanager."""
    api_url: Secret[HttpUrl] | None = None
    api_url_file: Path | None = None
    api_url_env: str | None = None
    channel: str = Field(default="", max_length=80)
    username: str = Field(default="", max_length=80)
    icon_emoji: str = Field(default="", max_length=100)
    icon_url: str = Field(default="", max_length=2_000)
    http_config: HttpConfig | None = None


def messages(notification: Notification, config: SlackConfig) -> list[Message]:
    told = config.told(notification)
    if told is None:
        return []
    body = json.dumps(_body(told, config))
    return [Message("post", "", body, order_key=notification.group_key, incident=notification.dedup_key)]


def send(client: httpx.Client, config: SlackConfig, message: Message, idempotency_key: str, at: datetime) -> None:
    """Deliver once. Only ``200 ok`` is a delivery: Slack and its proxies answer 200 with an error in the body too.

    Raises:
        DeliveryError: retryable on network trouble, 408, 429, 5xx and errors that pass; final on any other.
    """
    url = config.read_secret("api_url")
    headers = {**JSON, KEY: idempotency_key, **authorization(config.http_config)}
    request = Request(url, message.body.encode(), headers, POLICY.timeout_s, POLICY.throttled_s, secrets_of(url))
    answer = ask(client, request)
    error = _error(answer)
    if error is not None:
        raise refused(answer, request, retryable=_passes(answer, error), why=error)


def _error(answer: Answer) -> str | None:
    """What Slack calls the error; None: it took the message."""
    text = answer.text.strip()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict) and "ok" in found:
        return None if answer.ok and found["ok"] is True else str(found.get("error", text))
    return None if answer.ok and text.lower() == "ok" else text or "an empty answer"


def _passes(answer: Answer, error: str) -> bool:
    """An error that nobody knows with a 200 passes: it may be of a proxy, and Slack was not asked."""
    return error not in FINAL and (answer.ok or retryable_status(answer))


def escape(text: str) -> str:
    """Slack's three signs: with them a label could name a channel, and all in it would be woken."""
    return clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _escaped(text: str) -> int:
    return units(escape(text))


def _body(notification: Notification, config: SlackConfig) -> dict[str, Any]:
    text = text_of(notification)
    title = cut(text.title, TITLE_MAX, _escaped)
    sections = [f"{_mark(notification)} *{escape(title)}*", *_facts(text), _links(text), _listed(text)]
    body = {
        "text": escape(title),
        "blocks": [_section(section) for section in sections if section][:BLOCKS_MAX],
        "channel": config.channel,
        "username": config.username,
        "icon_emoji": config.icon_emoji,
        "icon_url": config.icon_url,
    }
    return {key: value for key, value in body.items() if value}


def _mark(notification: Notification) -> str:
    if notification.status != FIRING:
        return _OVER
    return _MARKS[severity_rank(worst_first(notification.firing)[0])]


def _section(text: str) -> dict[str, Any]:
    # Verbatim: otherwise Slack makes links and mentions of names that it finds in the text.
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _facts(text: Text) -> list[str]:
    """In as many sections as they need, each fact whole in one."""
    sections: list[str] = []
    used = 0
    for told, (name, answer) in enumerate(text.facts):
        fact = f"*{name}:* {escape(cut(answer, FACT_MAX, _escaped))}"
        used += units(fact) + 1
        if used > FACTS_MAX:
            return [*sections, f"… and {len(text.facts) - told} more answers, left out here"]
        if sections and units(sections[-1]) + 1 + units(fact) <= SECTION_MAX:
            sections[-1] += "\n" + fact
        else:
            sections.append(fact)
    return sections


def _links(text: Text) -> str:
    # Of whole links only: half of one would be text that nobody escaped.
    links = [f"<{escape(address)}|{name}>" for name, address in text.links]
    while sum(units(link) + 3 for link in links) > LINKS_MAX:
        links.pop()
    return " · ".join(links)


def _listed(text: Text) -> str:
    return escape(listing(text, LIST_MAX, measure=_escaped))
