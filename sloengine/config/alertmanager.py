"""Keys of Alertmanager's files, 0.25 to 0.28, that mean nothing here: they are named, and the file loads all the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sloengine.config.findings import near
from sloengine.config.matchers import shown
from sloengine.config.receivers import ways_of
from sloengine.config.yamlfile import Document
from sloengine.config.yamltree import Map, Seq
from sloengine.errors import Problem
from sloengine.notify.settings import warnings_of
from sloengine.notify.targets import GLOBALS, TARGETS, with_globals

Path_ = tuple[str | int, ...]
WAYS = tuple(
    f"{way}_configs"
    for way in (
        *(
            "discord",
            "email",
            "jira",
            "msteams",
            "msteamsv2",
            "opsgenie",
            "pagerduty",
            "pushover",
            "rocketchat",
            "slack",
        ),
        *("sns", "telegram", "victorops", "webex", "webhook", "wechat"),
    )
)
GLOBAL = (
    *("resolve_timeout", "http_config", "jira_api_url", "pagerduty_url", "telegram_api_url", "webex_api_url"),
    *("slack_api_url", "slack_api_url_file"),
    *(
        "smtp_from",
        "smtp_hello",
        "smtp_smarthost",
        "smtp_auth_username",
        "smtp_auth_password",
        "smtp_auth_password_file",
    ),
    *("smtp_auth_secret", "smtp_auth_identity", "smtp_require_tls", "smtp_tls_config"),
    *("opsgenie_api_url", "opsgenie_api_key", "opsgenie_api_key_file"),
    *("victorops_api_url", "victorops_api_key", "victorops_api_key_file"),
    *("wechat_api_url", "wechat_api_secret", "wechat_api_corp_id"),
    *(
        "rocketchat_api_url",
        "rocketchat_token",
        "rocketchat_token_file",
        "rocketchat_token_id",
        "rocketchat_token_id_file",
    ),
)
STANDING_IN = frozenset(name for names in GLOBALS.values() for name, _ in names)
"""Keys of ``global`` that stand in for what a receiver's settings leave out."""
RESOLVES = "alerts here end when they are measured to, not by a timeout"
TEMPLATES = "messages are written by sloengine"


def without_unsupported(document: Document) -> tuple[Document, list[Problem]]:
    """The document without the keys that Alertmanager knows and nothing here acts on, and each of them named."""
    rest = Document(document.file, _apart(document.value))
    found = list(_unsupported(document.value))
    for path, _ in found:
        _remove(rest.value, path)
    said = [document.problem(message, path, "warning") for path, message in found]
    if isinstance(rest.value, dict) and isinstance(rest.value.get("global"), dict | None):
        shared = rest.value.pop("global", None) or {}
        for _, key, config in _placed(rest.value):
            config.update(with_globals(key, config, shared))
        for key in shared.keys() - STANDING_IN:
            said.append(document.problem(f"unknown key 'global.{shown(key)}'{near(str(key), GLOBAL)}", ("global", key)))
    return rest, said


def doubts_of(document: Document) -> Iterator[Problem]:
    """What ways to send have in them that is not acted on, or not safe."""
    for path, key, config in _placed(document.value):
        for inside, words in warnings_of(TARGETS[key].settings, config):
            yield document.problem(f"{key}.{words}", (*path, *inside), "warning")


def _placed(value: Any) -> Iterator[tuple[Path_, str, dict[str, Any]]]:
    """Settings of supported ways as written: where they are, their key."""
    receivers = value.get("receivers") if isinstance(value, dict) else None
    for i, receiver in enumerate(receivers if isinstance(receivers, list) else ()):
        for key in ways_of():
            listed = receiver.get(key) if isinstance(receiver, dict) else None
            for n, config in enumerate(listed if isinstance(listed, list) else ()):
                if isinstance(config, dict):
                    yield ("receivers", i, key, n), key, config


def unsupported_ways(receiver: Mapping[str, Any]) -> list[str]:
    """Ways to send of a receiver as written that nothing here acts on."""
    return [way for way in WAYS if way not in ways_of() and receiver.get(way)]


def _unsupported(value: Any) -> Iterator[tuple[Path_, str]]:
    if not isinstance(value, dict):
        return
    if "templates" in value:
        yield ("templates",), f"templates are not acted on: {TEMPLATES}"
    for key in value["global"] if isinstance(value.get("global"), dict) else ():
        if key in GLOBAL and key not in STANDING_IN:
            why = f": {RESOLVES}" if key == "resolve_timeout" else ""
            yield ("global", key), f"global.{key} is not acted on{why}"
    receivers = value.get("receivers")
    for i, receiver in enumerate(receivers if isinstance(receivers, list) else ()):
        if isinstance(receiver, dict):
            yield from _of_receiver(receiver, ("receivers", i))


def _of_receiver(receiver: Mapping[str, Any], at: Path_) -> Iterator[tuple[Path_, str]]:
    for way in WAYS:
        if way in receiver and way not in ways_of():
            yield (*at, way), f"{way} is not supported: nothing is sent this way"


def _apart(node: Any) -> Any:
    """A copy in which nothing is shared: an alias names one node, and what is taken out there is taken out once."""
    if isinstance(node, Map):
        copy = Map(node.line)
        copy.lines = dict(node.lines)
        copy.update((key, _apart(value)) for key, value in node.items())
        return copy
    if isinstance(node, Seq):
        listed = Seq(node.line)
        listed.lines = list(node.lines)
        listed.extend(map(_apart, node))
        return listed
    return node


def _remove(node: Any, path: Path_) -> None:
    *above, last = path
    for key in above:
        node = node[key]
    del node[last]
    if isinstance(node, Seq) and isinstance(last, int):
        del node.lines[last]
