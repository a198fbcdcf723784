"""The webhook: Alertmanager's payload, and what each answer of a receiver means."""

import json
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from sloengine.alert.notification import Notification, Told
from sloengine.errors import DeliveryError
from sloengine.notify.webhook import NEVER, POLICY, WebhookConfig, build_payload, messages, send

GOLDEN = Path(__file__).parents[1] / "golden"
BEGAN, ENDED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC), datetime(2026, 3, 4, 6, 0, tzinfo=UTC)


def notice(ended_at: datetime | None = None, **annotations: str) -> Notification:
    labels = {"alertname": "ErrorBudgetBurn", "severity": "page", "slo": "digits-success", "region": "eu-north"}
    summary = {"summary": "Digits answered: burning 30.0x", **annotations}
    return Notification(
        receiver="on-call",
        group_key='{}:{region="eu-north"}',
        dedup_key="sloengine-group-0123456789abcdef0123-4",
        group_labels={"region": "eu-north"},
        alerts=(Told("sloengine-0123456789abcdef0123-4", labels, summary, BEGAN, ended_at),),
        external_url="http://console:8080",
    )


@pytest.mark.parametrize(("name", "ended_at"), [("firing", None), ("resolved", ENDED)])
def test_the_payload_is_alertmanagers_version_4(name: str, ended_at: datetime | None) -> None:
    """Golden file: a change of it is a change for every receiver out there."""
    golden = GOLDEN / f"webhook_{name}.json"
    payload = json.loads(build_payload(notice(ended_at, console="http://console:8080/#digits-success")))
    assert payload == json.loads(golden.read_text(encoding="utf-8"))


def test_an_alert_without_a_console_link_points_at_the_engine() -> None:
    (alert,) = json.loads(build_payload(notice()))["alerts"]
    assert (alert["generatorURL"], alert["endsAt"]) == ("http://console:8080", NEVER)


def test_the_payload_survives_hostile_labels() -> None:
    hostile = 'Ω"\n\x00</script>\ud83d'
    assert json.loads(build_payload(notice(summary=hostile)))["commonAnnotations"]["summary"] == hostile


class Receiver:
    """A real HTTP server with one answer for everything; keeps what it was sent."""

    def __init__(self, status: int, headers: dict[str, str], wait_s: float) -> None:
        seen: list[tuple[str, dict[str, str], bytes]] = []
        self.seen = seen

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                seen.append((self.path, dict(self.headers), body))
                time.sleep(wait_s)
                if status:
                    self.send_response(status)
                    for key, value in {"Content-Length": "6", **headers}.items():
                        self.send_header(key, value)
                    with suppress(BrokenPipeError, ConnectionResetError):
                        self.end_headers()
                        self.wfile.write(b"answer")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    @contextmanager
    def running(self) -> Iterator["Receiver"]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


@contextmanager
def receiver(status: int, wait_s: float = 0.0, **headers: str) -> Iterator[Receiver]:
    with Receiver(status, {k.replace("_", "-"): v for k, v in headers.items()}, wait_s).running() as running:
        yield running


def deliver(url: str, timeout_s: float = 5.0) -> None:
    # From a file, where no one has looked at it before.
    with httpx.Client(trust_env=False) as client, tempfile.NamedTemporaryFile("w", suffix=".url") as file:
        file.write(url)
        file.flush()
        config = WebhookConfig.model_validate({"url_file": file.name, "timeout": timeout_s})
        [message] = messages(notice(), config)
        send(client, config, message, "sloengine-0123-4:firing", BEGAN)


def refusal(url: str, timeout_s: float = 5.0) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        deliver(url, timeout_s)
    return caught.value


@pytest.mark.parametrize("status", [200, 201, 202])
def test_success_is_any_2xx_and_the_request_carries_its_key(status: int) -> None:
    with receiver(status) as there:
        deliver(there.url)
    ((path, headers, body),) = there.seen
    assert (path, headers["Idempotency-Key"]) == ("/hook", "sloengine-0123-4:firing")
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body)["version"] == "4"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422])
def test_a_refusal_of_the_request_itself_is_final(status: int) -> None:
    with receiver(status) as there:
        error = refusal(there.url)
    assert (error.retryable, error.retry_after_s, len(there.seen)) == (False, None, 1)
    assert f"HTTP {status}" in str(error)
    assert "answer" in str(error)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_an_overloaded_or_broken_receiver_is_tried_again(status: int) -> None:
    with receiver(status) as there:
        error = refusal(there.url)
    assert (error.retryable, error.retry_after_s, len(there.seen)) == (
        True,
        POLICY.throttled_s if status == 429 else None,
        1,
    )


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("", POLICY.throttled_s),
        ("soon", POLICY.throttled_s),
        ("-5", POLICY.throttled_s),
        ("²", POLICY.throttled_s),
        ("9" * 400, 3600.0),
        ("86400", 3600.0),
    ],
)
def test_retry_after_is_honoured_within_an_hour(header: str, seconds: float) -> None:
    with receiver(429, Retry_After=header) as there:
        error = refusal(there.url)
    assert (error.retryable, error.retry_after_s) == (True, seconds)


def test_a_redirect_is_not_followed_and_not_taken_for_a_delivery() -> None:
    with receiver(302, Location="http://127.0.0.1:1/") as there:
        error = refusal(there.url)
    assert (error.retryable, "HTTP 302" in str(error)) == (False, True)


def test_a_refused_connection_is_tried_again() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/hook"
    error = refusal(url)
    assert (error.retryable, "ConnectError" in str(error)) == (True, True)


def test_a_receiver_that_hangs_is_left_at_the_timeout_and_tried_again() -> None:
    began = time.monotonic()
    with receiver(200, wait_s=1.0) as there:
        error = refusal(there.url, timeout_s=0.2)
        assert time.monotonic() - began < 0.9
    assert (error.retryable, "Timeout" in str(error)) == (True, True)


def test_a_receiver_that_hangs_up_is_tried_again() -> None:
    with receiver(0) as there:
        assert refusal(there.url).retryable


@pytest.mark.parametrize("url", ["http://[::1", "http://a\x00b/", "ftp://127.0.0.1/hook"])
def test_an_address_that_is_none_is_a_delivery_error_and_never_a_crash(url: str) -> None:
    refusal(url)
