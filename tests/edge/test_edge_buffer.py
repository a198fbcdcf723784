"""A gateway that is away for a while, on a real port: what was recorded meanwhile arrives, also if the device died in between."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from edge_gateway import Gateway, values, wait_for
from opentelemetry.sdk.metrics.export import MetricsData

from sloengine import edge
from sloengine.edge import contract
from sloengine.edge.backlog import Backlog
from sloengine.edge.disk import DiskBuffer
from sloengine.edge.wire import Encoder, otlp

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX file locks")


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    found = Gateway()
    yield found
    found.hang.set()
    found.down()


@pytest.fixture
def make_node(gateway: Gateway, tmp_path: Path) -> Iterator[Callable[..., edge.Node]]:
    made: list[edge.Node] = []

    def make(**settings: object) -> edge.Node:
        given = {"buffer_dir": tmp_path, "predictions": 1, "span_ratio": 1, "export_interval_s": 0.05}
        made.append(
            edge.Node(
                "digits", "eu-1", "eu", endpoint=gateway.endpoint, **{**given, "export_timeout_s": 0.3, **settings}
            )
        )
        return made[-1]

    yield make
    for node in made:
        node.close(5)


def predict(node: edge.Node, ids: range) -> list[str]:
    model = node.model("digits", version="1")
    for i in ids:
        with model.inference() as call:
            call.score(0.5, label="7")
            call.record(id=f"p-{i}")
        model.label(f"p-{i}", "7")
    return [f"p-{i}" for i in ids]


def segments(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.seg"))


def test_after_an_outage_everything_arrives_once_and_the_disk_is_empty(gateway, make_node, tmp_path):
    gateway.down()
    node = make_node()
    ids: list[str] = []
    for batch in range(3):
        before = segments(tmp_path)
        ids += predict(node, range(batch * 20, batch * 20 + 20))
        wait_for(lambda before=before: segments(tmp_path) > before)
    assert len(list(tmp_path.glob("*.metrics"))) == 1
    gateway.up()
    wait_for(lambda: node.flush(5))
    assert sorted(gateway.ids()) == sorted(ids)
    assert sorted(label["edge.prediction.id"] for label in gateway.logs("edge.label")) == sorted(ids)
    assert len(gateway.span_ids()) == len(set(gateway.span_ids())) == 60
    assert list(gateway.counts("edge.inference.requests").values()) == [60]
    assert gateway.counts("edge.telemetry.dropped") == {}
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    assert node.close(5) is True


def test_what_the_first_attempt_could_not_send_is_on_disk_and_synced_when_its_turn_ends(
    gateway, make_node, tmp_path, monkeypatch
):
    synced: list[int] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.fstat(fd).st_size), real(fd)))
    gateway.down()
    node = make_node(export_interval_s=3600)
    predict(node, range(5))
    assert node.flush(5) is False
    assert segments(tmp_path) > 0
    assert len(list(tmp_path.glob("*.metrics"))) == 1
    predict(node, range(5, 12))
    assert node.flush(5) is False
    sizes = [path.stat().st_size for path in tmp_path.glob("*.seg")]
    assert len(sizes) == 2
    assert set(sizes) <= set(synced)


DEVICE = """
    import sys, time
    from sloengine import edge
    from sloengine.edge import contract

    contract.METRICS_KEPT_EVERY_S = 0
    node = edge.Node("digits", "eu-1", "eu", endpoint=sys.argv[1], buffer_dir=sys.argv[2], predictions=1, span_ratio=1,
                     export_interval_s=0.05, export_timeout_s=0.2)
    model = node.model("digits", version="1")
    for i in range(int(sys.argv[3]), int(sys.argv[3]) + 40):
        with model.inference() as call:
            call.score(0.5, label="7")
            call.record(id=f"p-{i}")
    print("done", flush=True)
    time.sleep(60)
"""


def killed_device(gateway: Gateway, folder: Path, first: int) -> None:
    """Forty predictions while nobody answers; killed as soon as they and their count are on disk."""
    arguments = [gateway.endpoint, str(folder), str(first)]
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(DEVICE), *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        time.sleep(0.6)  # a turn that began before the last prediction, and one after it
        os.kill(process.pid, signal.SIGKILL)


def test_a_device_killed_twice_in_an_outage_loses_nothing_and_its_counts_arrive_first(gateway, make_node, tmp_path):
    gateway.down()
    for first in (0, 40):
        killed_device(gateway, tmp_path, first)
    gateway.up()
    node = make_node()
    ids = predict(node, range(80, 85))
    wait_for(lambda: len(set(gateway.ids())) >= 85)
    wait_for(lambda: node.flush(5))
    old = [one for one in gateway.ids() if one not in ids]
    assert old == [f"p-{i}" for i in range(80)]
    assert len(gateway.span_ids()) == 85
    counts = gateway.counts("edge.inference.requests")
    assert list(counts.values()) == [40, 40, 5]
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_what_is_closed_in_an_outage_is_sent_by_the_next_process(gateway, make_node, tmp_path):
    gateway.down()
    first = make_node(export_interval_s=3600)
    ids = predict(first, range(10))
    assert first.close(3) is False
    assert segments(tmp_path) > 0
    gateway.up()
    second = make_node()
    wait_for(lambda: len(gateway.ids()) == 10 and len(gateway.span_ids()) == 10)
    assert second.close(5) is True
    assert gateway.ids() == ids
    assert list(gateway.counts("edge.inference.requests").values()) == [10]


def test_a_gateway_that_hangs_cannot_keep_close_from_writing(gateway, make_node, tmp_path):
    gateway.hang.clear()
    node = make_node(export_timeout_s=30)
    time.sleep(0.2)  # the first turn is in the air
    ids = predict(node, range(10))
    before_s = time.perf_counter()
    assert node.close(1.5) is False
    assert time.perf_counter() - before_s < 2.5
    gateway.hang.set()
    second = make_node()
    wait_for(lambda: second.flush(5))
    assert gateway.ids() == ids
    assert list(gateway.counts("edge.inference.requests").values()) == [10]


def test_a_close_that_arrives_leaves_nothing_on_disk(gateway, make_node, tmp_path):
    node = make_node(export_interval_s=3600, export_timeout_s=5)
    predict(node, range(10))
    assert node.close(5) is True
    assert len(gateway.ids()) == len(gateway.span_ids()) == 10
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_the_bound_holds_in_a_long_outage_and_what_went_is_counted(gateway, make_node, tmp_path, monkeypatch):
    monkeypatch.setattr(contract, "RESENT_BYTES_PER_S", 2**24)
    gateway.down()
    node = make_node(buffer_bytes_max=2**20, predictions=1, span_ratio=0)
    model = node.model("digits", version="1")
    sizes = []
    number = 0
    while len(sizes) < 12:
        for _ in range(2000):
            model.label(os.urandom(100).hex(), os.urandom(100).hex())
        number += 2000
        node.flush(5)
        sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir()))
    assert max(sizes) <= 2**20
    gateway.up()
    wait_for(lambda: node.flush(5), 15)
    dropped = {reason: value for (_, reason), value in gateway.counts("edge.telemetry.dropped").items()}
    assert set(dropped) == {"buffer_full"}
    assert len(gateway.logs("edge.label")) + dropped["buffer_full"] == number


def test_a_second_process_works_without_and_takes_over(gateway, make_node, tmp_path, caplog, monkeypatch):
    code = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, 2); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        node = make_node()
        predict(node, range(5))
        wait_for(lambda: node.flush(5))
        wait_for(lambda: node.flush(5))
        assert len(gateway.ids()) == 5
        assert list(gateway.counts("edge.telemetry.dropped").values()) == [1]
        said = [record.getMessage() for record in caplog.records]
        assert len(said) == 1
        assert "another process has it" in said[0]
        holder.communicate("\n")
    monkeypatch.setattr("sloengine.edge.backlog._OPEN_EVERY_S", 0)
    gateway.down()
    predict(node, range(5, 10))
    wait_for(lambda: segments(tmp_path) > 0)


def test_a_folder_that_cannot_be_written_is_said_once_and_telemetry_waits_in_memory(
    gateway, make_node, tmp_path, caplog
):
    (tmp_path / "file").write_text("")
    node = make_node(buffer_dir=tmp_path / "file" / "folder")
    gateway.down()
    predict(node, range(5))
    assert node.flush(5) is False
    gateway.up()
    wait_for(lambda: node.flush(5))
    assert len(gateway.ids()) == len(gateway.span_ids()) == 5
    assert [reason for _, reason in gateway.counts("edge.telemetry.dropped")] == ["buffer_failed"]
    assert len([record for record in caplog.records if "disk buffer" in record.getMessage()]) == 1


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX permissions")
def test_a_read_only_folder_fails_when_it_is_opened(tmp_path):
    code = "from pathlib import Path; sloengine.edge.disk.DiskBuffer(Path(sys.argv[1]), 2**20, print)"
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o555)
    if os.geteuid() == 0:
        code = f"import fcntl, os; os.setuid(65534); {code}"
        own = [parent for parent in tmp_path.parents if "pytest-of-" in str(parent)]
        for parent in (tmp_path, *own):
            parent.chmod(0o755)
    code = f"import sys, sloengine.edge.disk; {code}"
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False)
    assert "PermissionError: [Errno 13] Permission denied" in done.stderr.splitlines()[-1]
    assert str(folder / "lock") in done.stderr.splitlines()[-1]


def test_a_full_disk_is_survived_in_memory_and_said_once(gateway, make_node, monkeypatch, caplog, tmp_path):
    real = os.write

    def full(fd: int, data: bytes) -> int:
        if isinstance(data, memoryview):  # the buffer's own way of writing
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data)

    gateway.down()
    node = make_node()
    monkeypatch.setattr(os, "write", full)
    predict(node, range(5))
    for _ in range(3):
        assert node.flush(5) is False
    monkeypatch.setattr(os, "write", real)
    predict(node, range(5, 10))
    wait_for(lambda: segments(tmp_path) > 0)
    gateway.up()
    wait_for(lambda: node.flush(5))
    assert sorted(gateway.ids()) == [f"p-{i}" for i in range(10)]
    assert [reason for _, reason in gateway.counts("edge.telemetry.dropped")] == ["buffer_failed"]
    assert len([record for record in caplog.records if "No space left" in record.getMessage()]) == 1


def test_damaged_files_of_a_predecessor_do_not_stop_live_telemetry(gateway, make_node, tmp_path):
    (tmp_path / f"{1:016d}.seg").write_bytes(os.urandom(3000))
    (tmp_path / f"{2:016d}.metrics").write_bytes(os.urandom(3000))
    node = make_node()
    predict(node, range(3))
    wait_for(lambda: node.flush(5))
    node.flush(5)
    assert len(gateway.ids()) == 3
    dropped = {reason: value for (_, reason), value in gateway.counts("edge.telemetry.dropped").items()}
    assert dropped == {"buffer_corrupt": 2}


def filled(folder: Path, batches: int, size: int = 20) -> Encoder:
    """A buffer with as many export requests of prediction labels, as an earlier process left it."""
    from opentelemetry._logs import LogRecord
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.resources import Resource

    encoder = Encoder()
    buffer = DiskBuffer(folder, 2**30, print)
    for i in range(batches):
        attributes = {"edge.prediction.id": f"{i}", "noise": os.urandom(size).hex()}
        record = LogRecord(timestamp=1, observed_timestamp=1, event_name="edge.label", attributes=attributes)
        body = encoder.body("logs", [ReadableLogRecord(record, Resource.create({"service.instance.id": "old"}))])
        assert body is not None
        buffer.append("logs", 1, body)
    buffer.close()
    return encoder


def test_a_request_that_alone_is_refused_goes_after_three_turns(gateway, make_node, tmp_path):
    filled(tmp_path, 5)
    body = Encoder().body("metrics", MetricsData([]))
    assert body is not None
    buffer = DiskBuffer(tmp_path, 2**20, print)
    buffer.keep_metrics(body)
    buffer.close()
    gateway.refuses = lambda path, message: (
        (path == "/v1/logs" and "2" in [values(r.attributes)["edge.prediction.id"] for r in of(message)])
        or (path == "/v1/metrics" and not message.resource_metrics)
    )
    node = make_node()
    wait_for(lambda: node.flush(5))
    node.flush(5)
    assert [label["edge.prediction.id"] for label in gateway.logs("edge.label")] == ["0", "1", "3", "4"]
    dropped = {reason: value for (_, reason), value in gateway.counts("edge.telemetry.dropped").items()}
    assert dropped == {"export_refused": 2}


def of(message) -> list:
    return [
        record for resource in message.resource_logs for scope in resource.scope_logs for record in scope.log_records
    ]


def test_a_receiver_that_refuses_metrics_only_gets_the_rest(gateway, make_node, monkeypatch):
    monkeypatch.setattr("sloengine.edge.backlog._PROBE_EVERY_S", 0)
    gateway.refuses = lambda path, _message: path == "/v1/metrics"
    node = make_node()
    ids = predict(node, range(5))
    wait_for(lambda: len(gateway.ids()) == 5 and len(gateway.span_ids()) == 5)
    assert gateway.ids() == ids


def test_what_is_sent_again_keeps_to_its_rate(gateway, tmp_path, monkeypatch):
    """Never more than the burst, a turn's worth, and the rate since; measured on a clock of the test's own."""
    filled(tmp_path, 60, size=5000)
    now = [1000.0]
    monkeypatch.setattr("sloengine.edge.backlog.monotonic", lambda: now[0])

    class Ledger:
        drop = staticmethod(print)

    backlog = Backlog(tmp_path, 2**30, Ledger(), interval_s=1.0)
    backlog.open()
    exporters = otlp(gateway.endpoint, {}, 5)
    sent = []
    for _ in range(3):
        done = backlog.send(exporters, answered=True)
        sent.append(len(gateway.logs("edge.label")))
        now[0] += 0.5
    one = segments(tmp_path) / 60
    rate = contract.RESENT_BYTES_PER_S
    assert not done
    expected = [rate / one, rate * 1.5 / one, rate * 2 / one]
    assert all(abs(n - e) <= 2.5 for n, e in zip(sent, expected, strict=True)), (sent, expected)
    backlog.close()
    exporters.shutdown()


def test_live_telemetry_goes_before_an_old_backlog(gateway, make_node, tmp_path, monkeypatch, caplog):
    filled(tmp_path, 30)
    monkeypatch.setattr(contract, "RESENT_BYTES_PER_S", 1)
    node = make_node(export_interval_s=3600)
    predict(node, range(5))
    assert node.flush(5) is False  # nothing was lost, but not everything has arrived
    assert caplog.records == []
    assert len(gateway.ids()) == 5
    assert 1 <= len(gateway.logs("edge.label")) - 5 < 30


def child_of_fork(folder: Path, go, out) -> None:
    for _ in range(2):
        go.get()
        try:
            DiskBuffer(folder, 2**20, print).close()
            out.put("had it")
        except BlockingIOError:
            out.put("refused")


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_has_the_buffer_after_its_parent_and_not_before(make_node, tmp_path):
    node = make_node(export_timeout_s=5)
    wait_for(lambda: node._pipeline.uplink._backlog.ready)
    fork = multiprocessing.get_context("fork")
    go, out = fork.SimpleQueue(), fork.SimpleQueue()
    child = fork.Process(target=child_of_fork, args=(tmp_path, go, out))
    child.start()
    go.put("now")
    assert out.get() == "refused"
    assert node.close(5) is True
    DiskBuffer(tmp_path, 2**20, print).close()  # the child does not hold what its parent gave back
    go.put("now")
    assert out.get() == "had it"
    child.join(5)


def test_a_repeated_request_says_the_later_time(gateway, make_node):
    node = make_node(export_interval_s=3600, export_timeout_s=5)
    gateway.answers = [503, 503]
    before_ns = time.time_ns()
    assert node.flush(5) is True
    after_ns = time.time_ns()
    assert len(gateway.clocks) >= 3
    assert gateway.clocks == sorted(set(gateway.clocks))
    assert before_ns < gateway.clocks[0] < gateway.clocks[-1] < after_ns


def test_what_comes_from_disk_says_when_it_is_sent_not_when_it_was_written(gateway, tmp_path):
    encoder = filled(tmp_path, 1)
    body = encoder.body("metrics", MetricsData([]))
    exporters = otlp(gateway.endpoint, {}, 5)
    before_ns = time.time_ns()
    assert exporters.send_body("metrics", body) is True
    assert before_ns < gateway.clocks[-1] < time.time_ns()
    exporters.shutdown()


def test_a_session_of_openTelemetrys_credential_provider_is_used(gateway, monkeypatch):
    import importlib.metadata

    import requests

    session = requests.Session()
    session.headers["Authorization"] = "Bearer given"
    seen = []
    session.hooks["response"].append(lambda response, **_: seen.append(response.request.headers["Authorization"]))

    class Provider:
        def load(self):
            return lambda: session

    monkeypatch.setenv("OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER", "mine")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: [Provider()])
    exporters = otlp(gateway.endpoint, {}, 5)
    assert exporters.send("metrics", MetricsData([])) is True
    assert seen == ["Bearer given"]
    exporters.shutdown()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"buffer_dir": 7}, "wrong_type"),
        ({"buffer_bytes_max": 10}, "out_of_range"),
        ({"buffer_bytes_max": "lots"}, "wrong_type"),
    ],
)
def test_settings_that_make_no_sense_are_counted(gateway, make_node, settings, reason):
    node = make_node(export_timeout_s=5, **settings)
    assert node.close(5) is True
    dropped = {key: value for (_, key), value in gateway.counts("edge.telemetry.dropped").items()}
    assert dropped == {reason: 1}


def test_exporters_of_the_applications_own_have_no_buffer(make_device, tmp_path):
    device = make_device(buffer_dir=tmp_path)
    assert device.dropped() == {"misuse": 1}
    assert list(tmp_path.iterdir()) == []
