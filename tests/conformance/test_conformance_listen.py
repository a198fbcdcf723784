"""The command as a device and its maker meet it: over HTTP, and with files."""

from __future__ import annotations

import base64
import gzip
import json
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGINT, SIGTERM, Signals
from typing import Any

import httpx
import pytest
from conformant import AT_THE_DOOR, T0, Payload, S, check, put, rename
from google.protobuf import json_format  # type: ignore[import-untyped]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sloengine import edge
from sloengine.conformance import Options, run_conformance
from sloengine.conformance.decode import UnreadableError, decode, requests_in

NOW = datetime.fromtimestamp(T0 // S, UTC) + timedelta(seconds=12)
PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}


class Listener:
    """The command in a thread; `finish` ends it and gives exit code and JSON report."""

    def __init__(self, capfd: pytest.CaptureFixture[str], **given: Any) -> None:
        self._capfd = capfd
        self._ready = threading.Event()
        self.code: int | None = None
        self.stop: Callable[[], None] = lambda: None
        options = Options(**{"now": lambda: NOW, "listen": "127.0.0.1:0", "json": True, **given}, started=self._started)
        self._thread = threading.Thread(target=self._run, args=(options,), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def _started(self, url: str, stop: Any) -> None:
        self.url, self.stop = url, stop
        self._ready.set()

    def _run(self, options: Options) -> None:
        self.code = run_conformance(options)

    def post(self, path: str, body: bytes, headers: dict[str, str] = PROTOBUF) -> httpx.Response:
        return httpx.post(self.url + path, content=body, headers=headers, timeout=20)

    def finish(self) -> tuple[int | None, str]:
        self.stop()
        self._thread.join(10)
        return self.code, self._capfd.readouterr().out

    def report(self) -> dict[str, Any]:
        code, out = self.finish()
        report: dict[str, Any] = json.loads(out)
        assert code == (0 if report["ok"] else 1)
        return report


@pytest.fixture
def listener(capfd: pytest.CaptureFixture[str]) -> Iterator[Listener]:
    started = Listener(capfd)
    yield started
    started.stop()


def rules(report: dict[str, Any]) -> list[str]:
    return [f["rule"] for f in report["findings"]]


def test_the_python_library_conforms(capfd: pytest.CaptureFixture[str]) -> None:
    listener = Listener(capfd, now=lambda: datetime.now(UTC))
    node = edge.Node(
        service="digits", device="eu-1", region="eu", endpoint=listener.url, span_ratio=0.5, predictions=0.5
    )
    node.gauge("hw.gpu.utilization", lambda: 0.4)
    node.power("saver")
    model = node.model("digits", version="7", rollout="r-42", wave=1)
    node.update(rollout="r-42", wave=1, model="digits", version="7", status="failed", error="disk_full")
    model.loaded(duration_s=0.2)
    model.load_failed("oom")
    model.integrity(True)
    model.integrity(False, hash="a" * 64, expected="b" * 64)
    model.data(raw=1000, sent=10)
    for _ in range(2):
        for number in range(60):
            with model.inference() as call:
                if number % 7 == 0:
                    call.attempt()
                call.score(random.random(), label=number % 10)
                call.record(segments={"site_type": "warehouse"})
                model.label(call.prediction_id, number % 10, source="operator")
                if number % 11 == 0:
                    call.fail("timeout")
        assert node.flush(10)
    assert node.close(10)
    report = listener.report()
    assert report["findings"] == []
    assert report["received"]["spans"] > 20
    assert report["received"]["points"] > 40
    assert report["received"]["records"] > 60


@pytest.mark.parametrize("media", [PROTOBUF, JSON])
@pytest.mark.parametrize("zipped", [False, True])
def test_protobuf_and_json_plain_and_zipped_are_read_alike(
    listener: Listener, media: dict[str, str], zipped: bool
) -> None:
    for signal, request, _ in broken_twice().sent:
        body = request.SerializeToString() if media is PROTOBUF else as_json(request).encode()
        headers = {**media, "content-encoding": "gzip"} if zipped else media
        answer = listener.post(f"/v1/{signal}", gzip.compress(body) if zipped else body, headers)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == media["content-type"]
    assert rules(listener.report()) == ["attribute-almost", "personal-data"]


def broken_twice() -> Payload:
    payload = Payload()
    rename(payload.spans[0], "edge.model.name", "model_name")
    put(payload.spans[1], "user.id", "4711")
    return payload


def as_json(request: Any) -> str:
    """OTLP JSON on one line, as the collector's file exporter writes it: hexadecimal ids, numbers for enums."""
    loaded = json_format.MessageToDict(request, use_integers_for_enums=True)

    def hexed(node: Any) -> Any:
        if isinstance(node, list):
            return [hexed(one) for one in node]
        if not isinstance(node, dict):
            return node
        ids = {"traceId", "spanId"}
        return {k: base64.b64decode(v).hex() if k in ids else hexed(v) for k, v in node.items()}

    return json.dumps(hexed(loaded))


def test_the_devices_clock_is_read_from_its_header(listener: Listener) -> None:
    body = Payload().sent[0][1].SerializeToString()
    listener.post("/v1/metrics", body, {**PROTOBUF, "x-edge-clock-unix-nano": str(T0 - 60 * S)})
    listener.post("/v1/metrics", body, {**PROTOBUF, "x-edge-clock-unix-nano": "yesterday"})
    report = listener.report()
    assert set(rules(report)) == {"clock-offset", "clock-header-malformed"}
    assert "72.0 s behind" in [f["example"] for f in report["findings"]]


def test_hostile_requests_become_findings_and_the_listener_lives_on(listener: Listener) -> None:
    answers = [
        listener.post("/v1/traces", b"\xff" * 100),
        listener.post("/v1/traces", bytes(50 * 1024 * 1024)),
        listener.post("/v1/logs", b"[" * 200_000, JSON),
        listener.post("/v1/logs", b'{"a":' * 100_000, JSON),
        listener.post(
            "/v1/metrics", gzip.compress(bytes(200 * 1024 * 1024), 1), {**PROTOBUF, "content-encoding": "gzip"}
        ),
        listener.post("/v1/metrics", b"not gzip", {**PROTOBUF, "content-encoding": "gzip"}),
        listener.post("/v1/metrics", b"", {"content-type": "text/plain"}),
        listener.post("/v1/metrics", b"", {**PROTOBUF, "content-encoding": "zstd"}),
        listener.post("/v1/trace", b""),
        httpx.get(listener.url),
    ]
    assert [a.status_code for a in answers] == [400, 413, 400, 400, 413, 400, 415, 415, 404, 404]
    knock(listener.url, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    for signal, request, _ in Payload().sent:
        assert listener.post(f"/v1/{signal}", request.SerializeToString()).status_code == 200
    found = listener.report()["findings"]
    assert {f["rule"] for f in found} == AT_THE_DOOR
    assert {f["signal"] for f in found if f["rule"] == "request-too-big"} == {"traces", "metrics"}


def knock(url: str, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=5) as wire:
        wire.sendall(data)
        wire.recv(1000)


def test_it_ends_by_itself_and_nothing_received_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    listener = Listener(capfd, for_s=0.3)
    listener._thread.join(10)
    report = json.loads(capfd.readouterr().out)
    assert (listener.code, rules(report)) == (1, ["nothing-received"])
    assert "protocol" in report["findings"][0]["do"]


COMMAND = """
import sys
from datetime import UTC, datetime
from sloengine.conformance import Options, run_conformance
started = lambda url, stop: print(url, file=sys.stderr, flush=True)
sys.exit(run_conformance(Options(now=lambda: datetime.now(UTC), listen="127.0.0.1:0", json=True, started=started)))
"""


@pytest.mark.parametrize("ending", [SIGINT, SIGTERM])
def test_ctrl_c_and_sigterm_end_it_with_a_report(ending: Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", COMMAND], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        url = process.stderr.readline().decode().strip()
        httpx.post(f"{url}/v1/traces", content=b"", headers=PROTOBUF)
        process.send_signal(ending)
        out, err = process.communicate(timeout=20)
    assert rules(json.loads(out)) == ["nothing-received", "request-empty"]
    assert (process.returncode, err) == (1, b"")


def test_findings_are_shown_when_met_and_again_at_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    listener = Listener(capfd, json=False)
    for signal, request, _ in broken_twice().sent:
        listener.post(f"/v1/{signal}", request.SerializeToString())
    live = capfd.readouterr().out
    assert live.count("a required attribute is misspelt") == 1
    code, out = listener.finish()
    assert code == 1
    assert "did you mean edge.model.name?" in out
    assert "docs/telemetry.md#on-every-item-which-model" in out
    assert out.rstrip().endswith("does not conform: 1 error, 1 warning, 0 notes")


def run(*files: Path, **given: Any) -> int:
    return run_conformance(Options(now=lambda: NOW, files=files, json=True, **given))


def write(folder: Path, payload: Payload) -> list[Path]:
    """The payload as a line file of the collector's, and as one protobuf request per file."""
    lines = folder / "export.jsonl"
    lines.write_text("\n".join(as_json(request) for _, request, _ in payload.sent))
    files = []
    for number, (_, request, _) in enumerate(payload.sent):
        files.append(folder / f"{number}.pb")
        files[-1].write_bytes(request.SerializeToString())
    files[0].write_bytes(gzip.compress(files[0].read_bytes()))
    return [lines, *files]


def test_files_are_read_like_requests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines, *each = write(tmp_path, broken_twice())
    for files in ([lines], each):
        assert run(*files) == 1
        report = json.loads(capsys.readouterr().out)
        assert rules(report) == ["attribute-almost", "personal-data"]
        assert report["received"] == {"requests": 4, "points": 26, "spans": 2, "records": 7}


def test_warnings_alone_conform(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    payload = Payload()
    put(payload.spans[1], "user.id", "4711")
    assert run(write(tmp_path, payload)[0]) == 0
    assert json.loads(capsys.readouterr().out)["warnings"] == 1


def test_json_over_many_lines_is_one_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "pretty.json"
    file.write_text(json.dumps(json.loads(as_json(Payload().sent[1][1])), indent=2))
    assert run(file) == 0
    assert json.loads(capsys.readouterr().out)["received"]["requests"] == 1


def test_unreadable_content_names_the_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines, _, picture, *_ = write(tmp_path, Payload())
    lines.write_text(lines.read_text() + '\n{"resourceSpans": 3}\n{"spans": []}\n{"resourceSpans": [')
    picture.write_bytes(b"\x89PNG\r\n" + bytes(100))
    assert run(lines, picture) == 1
    found = json.loads(capsys.readouterr().out)["findings"]
    assert sorted(f["signal"].rpartition("/")[2] for f in found) == [
        "1.pb",
        "export.jsonl:5",
        "export.jsonl:6",
        "export.jsonl:7",
    ]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "either --listen"),
        ({"listen": "4318", "files": (Path("x"),)}, "either --listen"),
        ({"files": (Path("absent.json"),)}, "absent.json: can't be read: No such file"),
        ({"files": (Path(),)}, ".: can't be read: Is a directory"),
        ({"files": (Path("x"),), "for_s": 1.0}, "--for goes with --listen"),
        ({"listen": "otlp"}, "neither a port nor host:port"),
        ({"listen": "99999"}, "neither a port nor host:port"),
        ({"listen": "0", "ignore": frozenset({"nonsense"})}, "no rule is called nonsense"),
    ],
)
def test_wrong_use_says_what_to_do(given: dict[str, Any], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_conformance(Options(now=lambda: NOW, **given)) == 2
    assert says in capsys.readouterr().err


def test_a_taken_port_is_wrong_use(listener: Listener, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_conformance(Options(now=lambda: NOW, listen=listener.url.removeprefix("http://"))) == 2
    assert "choose another port" in capfd.readouterr().err


ANY = st.one_of(
    st.binary(max_size=300),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["resourceSpans", "scopeSpans", "spans", "traceId", "attributes"]), inner)
        ),
        max_leaves=20,
    ).map(lambda v: json.dumps(v).encode()),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    ANY, st.sampled_from(["traces", "metrics", "logs"]), st.sampled_from(["application/x-protobuf", "application/json"])
)
def test_any_bytes_decode_or_are_refused_with_words(body: bytes, signal: str, media: str) -> None:
    try:
        decode(signal, body, media)
    except UnreadableError as error:
        assert str(error)
    assert all(part.request is not None or part.problem for part in requests_in("file", body))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 3), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8))
def test_no_damaged_request_breaks_the_checker(which: int, damage: list[tuple[int, int]]) -> None:
    payload = Payload()
    signal, request, sending = payload.sent[which]
    data = bytearray(request.SerializeToString())
    for where, value in damage:
        data[where % len(data)] = value
    try:
        payload.sent[which] = (signal, decode(signal, bytes(data), "application/x-protobuf"), sending)
    except UnreadableError:
        return
    check(payload)


def test_places_of_one_rule_are_shown_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    payload = Payload()
    put(payload.spans[0], "edge.inference.outcome", "OK")
    put(payload.points("edge.inference.duration")[0], "edge.inference.outcome", "fine")
    assert run_conformance(Options(now=lambda: NOW, files=(write(tmp_path, payload)[0],))) == 1
    out = capsys.readouterr().out
    assert out.count("[outcome-wrong]") == 1
    assert "traces · edge.inference · edge.inference.outcome = OK" in out
    assert "metrics · edge.inference.duration · edge.inference.outcome = fine" in out
