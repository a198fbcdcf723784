"""What every target that speaks HTTP does when its receiver fails, and that none of them shows a secret."""

import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from sloengine.errors import DeliveryError
from sloengine.notify.http import ANSWER_MAX_BYTES, Answer, retry_after_s
from sloengine.notify.message import Message
from sloengine.notify.settings import TargetConfig
from sloengine.notify.targets import TARGETS
from tests.notify.notifications import burn_page, of
from tests.notify.receivers import DATE, HANG_UP, Got, Receiver, Reply, answering, receiver

KEY = "k" * 32
AT = datetime(2026, 3, 4, 3, 7, tzinfo=UTC)
SETTINGS = {
    "pagerduty_configs": {"routing_key": KEY, "url": "{url}/v2/enqueue"},
    "opsgenie_configs": {"api_key": KEY, "api_url": "{url}/"},
    "alertmanager_configs": {"url": "{url}"},
    "slack_configs": {"api_url": "{url}/services/T0/B0/" + KEY, "send_resolved": True},
    "webhook_configs": {"url": "{url}/hook/" + KEY},
}
NAMES = sorted(SETTINGS)


def config_of(name: str, url: str, **more: object) -> TargetConfig:
    filled = {key: text.format(url=url) if isinstance(text, str) else text for key, text in SETTINGS[name].items()}
    return TARGETS[name].settings.model_validate(filled | more)


def deliver(name: str, config: TargetConfig, message: Message | None = None, timeout_s: float = 5.0) -> None:
    sent = message or TARGETS[name].messages(of([burn_page()]), config)[0]
    with httpx.Client(timeout=timeout_s, trust_env=False) as client:
        TARGETS[name].send(client, config, sent, "incident-4:firing", AT)


def refusal(name: str, there: Receiver | str, **more: object) -> DeliveryError:
    url = there if isinstance(there, str) else there.url
    with pytest.raises(DeliveryError) as caught:
        deliver(name, config_of(name, url, **more))
    assert KEY not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("name", NAMES)
def test_a_message_is_kept_as_text_and_holds_no_secret(name: str) -> None:
    config = config_of(name, "http://127.0.0.1:1")
    for message in TARGETS[name].messages(of([burn_page()]), config):
        assert Message.from_json(message.to_json()) == message
        assert KEY not in message.to_json()
        assert message.incident == of([burn_page()]).dedup_key


@pytest.mark.parametrize("name", NAMES)
def test_settings_show_no_secret(name: str) -> None:
    config = config_of(name, "http://127.0.0.1:1", http_config={"basic_auth": {"username": "u", "password": KEY}})
    assert KEY not in repr(config) + str(config) + config.model_dump_json()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_broken_or_busy_receiver_is_tried_again(name: str, status: int) -> None:
    with receiver(answering(status)) as there:
        error = refusal(name, there)
    wait = TARGETS[name].policy.throttled_s if status == 429 else None
    assert (error.retryable, error.retry_after_s, len(there.got)) == (True, wait, 1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 410, 413, 422])
def test_a_refusal_is_final(name: str, status: int) -> None:
    with receiver(answering(status, Location="http://127.0.0.1:1/")) as there:
        error = refusal(name, there)
    assert not error.retryable
    assert f"HTTP {status}" in str(error)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7.0), ("Wed, 04 Mar 2026 05:01:30 GMT", 90.0), ("Wed, 04 Mar 2026 04:00:00 GMT", 0.0), ("86400", 3600.0)],
)
def test_retry_after_is_understood_in_both_forms(name: str, said: str, seconds: float) -> None:
    with receiver(answering(429, Retry_After=said)) as there:
        error = refusal(name, there)
    assert (error.retryable, error.retry_after_s) == (True, seconds)


@pytest.mark.parametrize(
    ("said", "now", "seconds"),
    [
        ("", DATE, None),
        ("soon", DATE, None),
        ("-5", DATE, None),
        ("²", DATE, None),
        ("Wed, 04 Mar 2026 05:01:30 GMT", "", None),
        ("Wednesday, 04-Mar-26 05:01:30 GMT", DATE, 90.0),
        ("Wed, 04 Mar 99999999 05:01:30 GMT", DATE, None),
        ("Wed, 04 Mar 2036 05:01:30 GMT", DATE, 3600.0),
        ("9" * 400, DATE, 3600.0),
    ],
)
def test_a_wait_is_never_longer_than_an_hour_and_never_guessed(said: str, now: str, seconds: float | None) -> None:
    headers = httpx.Headers({"retry-after": said.encode(), "date": now.encode()})
    assert retry_after_s(Answer(429, headers, "")) == seconds


@pytest.mark.parametrize("name", NAMES)
def test_a_receiver_that_hangs_is_left_at_the_timeout(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hasty = replace(TARGETS[name].policy, timeout_s=0.2)
    monkeypatch.setattr(sys.modules[TARGETS[name].send.__module__], "POLICY", hasty)
    began = time.monotonic()
    with receiver(answering(202, wait_s=1.0)) as there:
        error = refusal(name, there)
        assert time.monotonic() - began < 0.9
    assert error.retryable


@pytest.mark.parametrize("name", NAMES)
def test_a_receiver_that_hangs_up_after_reading_is_tried_again(name: str) -> None:
    with receiver(lambda _: Reply(HANG_UP)) as there:
        assert refusal(name, there).retryable
    assert len(there.got) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_refused_connection_is_tried_again(name: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert refusal(name, f"http://127.0.0.1:{port}").retryable


@contextmanager
def endless() -> Iterator[str]:
    """A receiver that accepts and answers without an end."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with connection, suppress(OSError):
            connection.recv(1 << 20)
            connection.sendall(b"HTTP/1.1 400 Bad\r\nContent-Length: 99999999999\r\n\r\n")
            while True:
                connection.sendall(b"x" * 65536)

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    thread.join()
    server.close()


def test_an_answer_without_an_end_is_read_no_further_than_it_can_mean_something() -> None:
    began = time.monotonic()
    with endless() as url:
        error = refusal("webhook_configs", url)
    assert time.monotonic() - began < 5
    assert (error.retryable, len(str(error)) < ANSWER_MAX_BYTES) == (False, True)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_receiver_says_back_of_a_secret_is_not_shown(name: str) -> None:
    def parrot(got: Got) -> Reply:
        shown = got.headers.get("Authorization", "")
        return Reply(400, f"{got.body.decode()[:60]} {shown} cannot POST {got.path}".encode())

    with receiver(parrot) as there:
        refusal(name, there)
        if name != "opsgenie_configs":
            refusal(name, there, http_config={"authorization": {"credentials": f"{KEY}-own"}})


@pytest.mark.parametrize(
    ("http_config", "header"),
    [
        ({"basic_auth": {"username": "u", "password": "p"}}, "Basic dTpw"),
        ({"authorization": {"credentials": "tok"}}, "Bearer tok"),
        ({"authorization": {"type": "Token", "credentials": "tok"}}, "Token tok"),
        ({"bearer_token": "tok"}, "Bearer tok"),
    ],
)
def test_requests_show_who_sends_them(http_config: dict[str, object], header: str) -> None:
    with receiver(answering(200)) as there:
        deliver("webhook_configs", config_of("webhook_configs", there.url, http_config=http_config))
    assert there.got[0].headers["Authorization"] == header


def test_a_key_that_no_header_can_hold_is_final_and_not_shown() -> None:
    config = {"api_key": "ключ", "api_url": "http://127.0.0.1:1"}
    with pytest.raises(DeliveryError) as caught:
        deliver("opsgenie_configs", TARGETS["opsgenie_configs"].settings.model_validate(config))
    assert not caught.value.retryable
    assert "ключ" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_every_request_has_its_key_and_is_json(name: str) -> None:
    with receiver(answering(200, "ok")) as there:
        deliver(name, config_of(name, there.url))
    headers = there.got[0].headers
    assert (headers["Idempotency-Key"], headers["Content-Type"]) == ("incident-4:firing", "application/json")
    json.loads(there.got[0].body)


def test_a_secret_from_a_file_or_a_variable_is_read_anew_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text(f"{'a' * 32}\n")
    config = TARGETS["pagerduty_configs"].settings.model_validate({"routing_key_file": str(file)})
    assert config.read_secret("routing_key") == "a" * 32
    file.write_text("b" * 32)
    assert config.read_secret("routing_key") == "b" * 32
    config = TARGETS["pagerduty_configs"].settings.model_validate({"routing_key_env": "SLOENGINE_TEST_KEY"})
    monkeypatch.setenv("SLOENGINE_TEST_KEY", "c")
    assert config.read_secret("routing_key") == "c"


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00hunter2"])
def test_a_secret_that_can_not_be_read_now_is_tried_again_and_not_shown(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    config = TARGETS["pagerduty_configs"].settings.model_validate({"routing_key_file": str(file)})
    with pytest.raises(DeliveryError) as caught:
        deliver("pagerduty_configs", config)
    assert caught.value.retryable
    assert "hunter2" not in str(caught.value)
