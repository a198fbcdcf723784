"""Receivers over real HTTP that hold a request to what their vendor's documentation says, and that fail as receivers do."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

HANG_UP = 0
"""Instead of a status: the request is read, and the connection closed."""


@dataclass(frozen=True)
class Got:
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_s: float = 0.0


Judge = Callable[[Got], Reply]


@dataclass
class Receiver:
    """A running server; ``judge`` may be changed while it runs."""

    url: str
    judge: Judge
    got: list[Got] = field(default_factory=list)


@contextmanager
def receiver(judge: Judge) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got = Got(self.path, dict(self.headers), body)
            running.got.append(got)
            reply = running.judge(got)
            time.sleep(reply.wait_s)
            if reply.status == HANG_UP:
                return
            with suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(reply.status)
                for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return DATE

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running = Receiver(f"http://127.0.0.1:{server.server_address[1]}", judge)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


DATE = "Wed, 04 Mar 2026 05:00:00 GMT"
"""The clock of all receivers: not ours."""


def answering(status: int, body: str = "answer", wait_s: float = 0.0, **headers: str) -> Judge:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: Reply(status, body.encode(), named, wait_s)


def _wrong(*rules: tuple[str, bool]) -> list[str]:
    return [rule for rule, kept in rules if not kept]


# --- PagerDuty, "Send an Alert Event" and "Events API v2 Overview"


PAGERDUTY_FIELDS = {"routing_key", "event_action", "dedup_key", "payload", "links", "images", "client", "client_url"}


def pagerduty(got: Got) -> Reply:
    wrong = ["JSON"] if len(got.body) > 512_000 else pagerduty_wrong(got)
    if wrong:
        return Reply(400, json.dumps({"status": "invalid event", "errors": wrong}).encode())
    return Reply(202, json.dumps({"status": "success", "dedup_key": got.json["dedup_key"]}).encode())


def pagerduty_wrong(got: Got) -> list[str]:
    event = got.json
    payload, trigger = event.get("payload", {}), event.get("event_action") == "trigger"
    texts = [payload.get(key, "") for key in ("source", "component", "group", "class")]
    return _wrong(
        ("path", got.path == "/v2/enqueue"),
        ("content type", got.headers["Content-Type"] == "application/json"),
        ("routing_key of 32 characters", len(event.get("routing_key", "")) == 32),
        ("event_action", event.get("event_action") in ("trigger", "acknowledge", "resolve")),
        ("dedup_key", 0 < len(event.get("dedup_key", "")) <= 255),
        ("only a trigger has a payload", trigger == bool(payload)),
        ("summary", not trigger or 0 < len(payload.get("summary", "")) <= 1024),
        ("source", not trigger or bool(payload.get("source"))),
        ("severity", not trigger or payload.get("severity") in ("critical", "error", "warning", "info")),
        ("texts", all(isinstance(text, str) for text in texts)),
        ("custom_details", isinstance(payload.get("custom_details", {}), dict)),
        ("links", all(link["href"].startswith("http") for link in event.get("links", []))),
        ("fields", set(event) <= PAGERDUTY_FIELDS),
    )  # fmt: skip


# --- Opsgenie, "Alert API" and "Response"


OPSGENIE_FIELDS = {
    *("message", "alias", "description", "responders", "visibleTo", "actions", "tags", "details", "entity", "source"),
    *("priority", "user", "note"),
}


def opsgenie(got: Got) -> Reply:
    if not got.headers.get("Authorization", "").startswith("GenieKey "):
        return Reply(401, b'{"message": "Could not authenticate"}')
    wrong = opsgenie_wrong(got)
    if wrong:
        return Reply(422, json.dumps({"message": "Request body is not processable", "errors": wrong}).encode())
    return Reply(202, b'{"result": "Request will be processed", "took": 0.1, "requestId": "43a29c5c"}')


def opsgenie_wrong(got: Got) -> list[str]:
    url, alert = urlsplit(got.path), got.json
    if url.path != "/v2/alerts":
        alias, _, action = url.path.removeprefix("/v2/alerts/").partition("/")
        return _wrong(
            ("alias", 0 < len(unquote(alias)) <= 250),
            ("action", action in ("close", "acknowledge")),
            ("identifierType", parse_qs(url.query) == {"identifierType": ["alias"]}),
            ("source", len(alert.get("source", "")) <= 100),
            ("fields", set(alert) <= {"user", "source", "note"}),
        )
    details, tags = alert.get("details", {}), alert.get("tags", [])
    return _wrong(
        ("message", 0 < len(alert.get("message", "")) <= 130),
        ("alias", 0 < len(alert.get("alias", "")) <= 250),
        ("description", len(alert.get("description", "")) <= 15_000),
        ("tags", len(tags) <= 20 and all(0 < len(tag) <= 50 for tag in tags)),
        ("details", all(isinstance(v, str) for v in details.values())),
        ("details' length", sum(len(k) + len(v) for k, v in details.items()) <= 8_000),
        ("entity", len(alert.get("entity", "")) <= 512),
        ("source", len(alert.get("source", "")) <= 100),
        ("priority", alert.get("priority") in ("P1", "P2", "P3", "P4", "P5")),
        ("responders", all("type" in one for one in alert.get("responders", []))),
        ("fields", set(alert) <= OPSGENIE_FIELDS),
    )  # fmt: skip


# --- Slack, "Sending messages using incoming webhooks", "Section block", "Text object"


def slack(got: Got) -> Reply:
    body = got.json
    blocks = body.get("blocks", [])
    texts = [block["text"]["text"] for block in blocks]
    wrong = _wrong(
        ("text", 0 < len(body["text"]) <= 40_000),
        ("blocks", 0 < len(blocks) <= 50 and all(block["type"] == "section" for block in blocks)),
        ("texts", all(0 < len(text) <= 3_000 for text in texts)),
        ("together", sum(map(len, texts)) <= 12_000),
        ("verbatim", all(block["text"]["verbatim"] is True for block in blocks)),
        ("fields", set(body) <= {"text", "blocks", "channel", "username", "icon_emoji", "icon_url"}),
    )
    return Reply(400, f"invalid_blocks: {wrong}".encode()) if wrong else Reply(200, b"ok")
