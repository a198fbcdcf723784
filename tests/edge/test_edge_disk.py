"""The buffer on disk: within its bound, through kill -9, torn and damaged files, full and read-only disks."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sloengine.edge.disk import Damage, DiskBuffer, Record, decode, encode

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX file locks")


class Losses(Counter[str]):
    def __call__(self, reason: str, items: int) -> None:
        self[str(reason)] += items


@pytest.fixture
def lost() -> Losses:
    return Losses()


def take_all(buffer: DiskBuffer) -> list[Record]:
    taken = []
    while (record := buffer.oldest()) is not None:
        taken.append(record)
        buffer.remove(record)
    return taken


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def contents(records: list[Record]) -> list[tuple[str, int, bytes]]:
    return [(record.signal, record.items, record.body) for record in records]


bodies = st.lists(
    st.tuples(st.sampled_from(["spans", "metrics", "logs"]), st.integers(0, 600), st.binary(max_size=60)), max_size=8
)


@settings(deadline=None)
@given(bodies)
def test_what_was_written_is_read(written):
    data = b"".join(encode(*one) for one in written)
    found = list(decode(data))
    assert contents(found) == written


@settings(max_examples=200, deadline=None)
@given(bodies, st.integers(0, 2**32), st.integers(1, 255), st.booleans())
def test_damage_costs_the_records_it_touches_and_no_other(written, where, flip, torn):
    """One byte changed, or the file cut: every record that was not touched is still found, nothing else is."""
    parts = [encode(*one) for one in written]
    data = b"".join(parts)
    if not data:
        return
    at = where % len(data)
    changed = data[:at] if torn else data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]
    found = list(decode(changed))
    starts = [sum(map(len, parts[:i])) for i in range(len(parts))]
    touched = next(i for i, start in enumerate(starts) if start <= at < start + len(parts[i]))
    survivors = written[:touched] if torn else written[:touched] + written[touched + 1 :]
    records = [one for one in found if isinstance(one, Record)]
    if not torn and at == starts[touched] + 4:  # the byte that says "sent", which no checksum covers
        assert contents(records) == written
        assert records[touched].sent
    else:
        assert contents(records) == survivors
        if at > starts[touched] or not torn:
            assert any(isinstance(one, Damage) for one in found)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_rubbish_is_damage(data):
    assert [one for one in decode(data) if isinstance(one, Record)] == []


def test_oldest_first_and_again_after_a_restart(tmp_path, lost):
    buffer = DiskBuffer(tmp_path, 10_000, lost)
    for i in range(40):
        buffer.append("logs", i, b"x" * 50)
    for _ in range(10):
        buffer.remove(buffer.oldest())
    buffer.close()
    again = DiskBuffer(tmp_path, 10_000, lost)
    again.append("spans", 99, b"new")
    assert [record.items for record in take_all(again)] == [*range(10, 40), 99]
    assert again.is_empty()
    assert again.size() == on_disk(tmp_path) == 0
    assert lost == {}


@pytest.mark.parametrize("seed", range(2))
def test_the_bound_holds_and_every_item_is_there_or_counted(tmp_path, lost, seed):
    dice, bound = random.Random(seed), 20_000
    buffer = DiskBuffer(tmp_path, bound, lost)
    given_items = sent = 0
    for i in range(200):
        body = dice.randbytes(dice.choice([10, 300, 3000]))
        given_items += i
        buffer.append("logs", i, body)
        if dice.random() < 0.1:
            buffer.keep_metrics(dice.randbytes(dice.choice([100, 2000])))
        if dice.random() < 0.2 and (record := buffer.oldest()) is not None:
            buffer.remove(record)
            sent += record.items
        assert on_disk(tmp_path) == buffer.size() <= bound
    left = [record.items for record in take_all(buffer)]
    assert left == sorted(left)
    assert sent + sum(left) + lost["buffer_full"] == given_items
    assert lost["buffer_full"] > 0


def test_a_record_larger_than_the_bound_is_lost_alone(tmp_path, lost):
    buffer = DiskBuffer(tmp_path, 1000, lost)
    buffer.append("logs", 3, b"kept")
    buffer.append("logs", 7, b"x" * 1000)
    assert contents(take_all(buffer)) == [("logs", 3, b"kept")]
    assert lost == {"buffer_full": 7}


def test_a_smaller_bound_than_last_time_lets_the_oldest_go(tmp_path, lost):
    buffer = DiskBuffer(tmp_path, 64_000, lost)
    for _ in range(30):
        buffer.append("logs", 1, b"x" * 2000)
    buffer.close()
    again = DiskBuffer(tmp_path, 20_000, lost)
    assert on_disk(tmp_path) <= 20_000
    assert len(take_all(again)) + lost["buffer_full"] == 30


def test_the_newest_metrics_only_and_those_of_earlier_processes(tmp_path, lost):
    for process in range(3):
        buffer = DiskBuffer(tmp_path, 10_000, lost)
        buffer.keep_metrics(b"old")
        buffer.keep_metrics(b"%d" % process)
        buffer.close()
    buffer = DiskBuffer(tmp_path, 10_000, lost)
    buffer.keep_metrics(b"mine")
    assert [body for _, body in buffer.earlier_metrics()] == [b"0", b"1", b"2"]
    assert not buffer.is_empty()
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    for sequence, _ in list(buffer.earlier_metrics()):
        buffer.forget_metrics(sequence)
    assert buffer.is_empty()  # its own are for its successor
    buffer.forget_metrics()
    assert on_disk(tmp_path) == 0


def test_damaged_files_are_counted_and_do_no_harm(tmp_path, lost):
    (tmp_path / f"{3:016d}.seg").write_bytes(os.urandom(5000))
    (tmp_path / f"{4:016d}.seg").write_bytes(encode("logs", 5, b"good") + encode("spans", 9, b"torn")[:-1])
    (tmp_path / f"{5:016d}.metrics").write_bytes(b"rubbish")
    (tmp_path / f"{6:016d}.metrics").write_bytes(b"")
    (tmp_path / f"{7:016d}.seg").mkdir()
    (tmp_path / "metrics.part").write_bytes(b"half")
    (tmp_path / "notes.seg").write_text("not ours")
    buffer = DiskBuffer(tmp_path, 10_000, lost)
    buffer.append("logs", 1, b"new")
    assert list(buffer.earlier_metrics()) == []
    with pytest.raises(OSError):  # a folder that looks like a segment can't be removed
        take_all(buffer)
    assert contents(take_all(buffer)) == [("logs", 1, b"new")]
    assert lost == {"buffer_corrupt": 1 + 9 + 2 + 1}


def test_a_disk_that_fills_up_in_the_middle_of_a_record_leaves_no_torn_one(tmp_path, lost, monkeypatch):
    buffer = DiskBuffer(tmp_path, 10_000, lost)
    buffer.append("logs", 1, b"before")
    real = os.write

    def full(fd: int, data: bytes) -> int:
        if len(data) <= 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data[:20])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        for _ in range(3):
            with pytest.raises(OSError):
                buffer.append("logs", 2, b"x" * 100)
    buffer.append("logs", 3, b"after")
    assert on_disk(tmp_path) == buffer.size()
    assert contents(take_all(buffer)) == [("logs", 1, b"before"), ("logs", 3, b"after")]
    assert lost == {}


def test_one_holder_at_a_time(tmp_path, lost):
    first = DiskBuffer(tmp_path, 10_000, lost)
    with pytest.raises(BlockingIOError):
        DiskBuffer(tmp_path, 10_000, lost)
    other = tmp_path / "link"
    other.symlink_to(tmp_path)
    with pytest.raises(BlockingIOError):
        DiskBuffer(other, 10_000, lost)
    code = "import sys; from pathlib import Path; from sloengine.edge.disk import DiskBuffer as B; B(Path(sys.argv[1]), 1, print)"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert "BlockingIOError" in done.stderr
    first.close()
    with pytest.raises(OSError, match="closed"):
        first.append("logs", 1, b"x")
    DiskBuffer(tmp_path, 10_000, lost).close()


WRITER = """
import sys
from pathlib import Path
from sloengine.edge.disk import DiskBuffer

buffer = DiskBuffer(Path(sys.argv[1]), 2**30, print)
number = int(sys.argv[2])
while True:
    buffer.append("logs", number, number.to_bytes(4, "big") * (number % 5000))
    if number % 3 == 0:
        buffer.keep_metrics(number.to_bytes(4, "big"))
    print(number, flush=True)
    number += 1
"""


def test_kill_minus_9_in_the_middle_of_writing_loses_nothing_that_was_written(tmp_path, lost):
    dice = random.Random(5)
    said: list[int] = []
    kept: list[int] = []
    for round_ in range(5):
        first = round_ * 100_000 + 1
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(first)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            said += [int(process.stdout.readline()) for _ in range(10)]
            time.sleep(dice.uniform(0, 0.15))
            os.kill(process.pid, signal.SIGKILL)
            said += [int(line) for line in process.stdout.read().split("\n")[:-1]]
        kept.append(said[-1] // 3 * 3)
    buffer = DiskBuffer(tmp_path, 2**30, lost)
    metrics = [int.from_bytes(body, "big") for _, body in buffer.earlier_metrics()]
    taken = [record.items for record in take_all(buffer)]
    unsaid = set(taken) - set(said)
    assert set(said) <= set(taken)
    assert len(unsaid) <= 5, "at most the one that was written and not yet said, for each of five deaths"
    assert taken == sorted(taken)
    assert all(at_least <= found <= at_least + 3 for at_least, found in zip(kept, metrics, strict=True))
