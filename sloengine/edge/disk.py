"""A bounded buffer on disk: checksummed records in append-only segment files, oldest first, for one process at a time.

A record is one export request as it goes over the wire (gzip), with the number of items in it. Segments are files
`<sequence>.seg`; the newest metrics that a process could not send are one file `<sequence>.metrics`, replaced as a whole.
After kill -9 everything written is there, after a power cut everything up to the last `sync`; what is torn or damaged is
skipped and counted, and records behind it are found again by their mark.
"""

from __future__ import annotations

import os
import struct
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from .contract import DropReason

Signal = Literal["spans", "metrics", "logs"]
Lost = Callable[[DropReason, int], None]

_SIGNALS: tuple[Signal, ...] = ("spans", "metrics", "logs")
_MARK = b"\xffEB1"
_HEAD = struct.Struct(">4sBBIII")
"""mark, 1 once sent, signal, items, bytes of the body, CRC-32 of the body; a CRC-32 of all but the second follows."""
_HEAD_BYTES = _HEAD.size + 4
_SENT_AT = 4
_SEGMENT_SHARE = 16
_SEGMENT_BYTES_MAX = 4 * 2**20
_SNAPSHOTS_MAX = 100


_held: dict[str, DiskBuffer] = {}
"""By real path. The lock keeps other processes out; it knows no difference inside one, and is lost with any descriptor."""


class Record(NamedTuple):
    signal: Signal
    items: int
    body: bytes
    offset: int
    sent: bool


class Damage(NamedTuple):
    """A stretch of a file that is no record; `items` are 1 where its header says nothing."""

    items: int


def encode(signal: Signal, items: int, body: bytes) -> bytes:
    head = _HEAD.pack(_MARK, 0, _SIGNALS.index(signal), items, len(body), zlib.crc32(body))
    return head + _head_check(head) + body


def decode(data: bytes) -> Iterator[Record | Damage]:
    """Everything in a segment, in order. Damage ends where the next good header begins."""
    at = 0
    while at < len(data):
        found = _header_at(data, at)
        if found is None:
            yield Damage(1)
            at = _next_header(data, at + 1)
            continue
        sent, signal, items, size, check = found
        body = data[at + _HEAD_BYTES : at + _HEAD_BYTES + size]
        if len(body) == size and zlib.crc32(body) == check:
            yield Record(signal, items, body, at, sent)
            at += _HEAD_BYTES + size
        else:
            yield Damage(items)
            # Torn in the middle of a file: another record may stand where this one's body should.
            at = _next_header(data, at + _HEAD_BYTES)


def _header_at(data: bytes, at: int) -> tuple[bool, Signal, int, int, int] | None:
    head = data[at : at + _HEAD.size]
    if len(head) < _HEAD.size or data[at + _HEAD.size : at + _HEAD_BYTES] != _head_check(head):
        return None
    mark, sent, signal, items, size, check = _HEAD.unpack(head)
    return (bool(sent), _SIGNALS[signal], items, size, check) if mark == _MARK and signal < len(_SIGNALS) else None


def _next_header(data: bytes, start: int) -> int:
    """Where the next good header stands, or the end of `data`."""
    at = data.find(_MARK, start)
    while at >= 0 and _header_at(data, at) is None:
        at = data.find(_MARK, at + 1)
    return at if at >= 0 else len(data)


def _head_check(head: bytes) -> bytes:
    return zlib.crc32(head[:_SENT_AT] + head[_SENT_AT + 1 :]).to_bytes(4, "big")


class DiskBuffer:
    """Holds the folder's lock while open. Every method may raise OSError; `lost` hears of each item that is given up.

    Files never take more than `bytes_max` together: the oldest segment goes to make room. Safe to use from several threads.
    """

    def __init__(self, folder: Path, bytes_max: int, lost: Lost) -> None:
        self._folder = folder
        self._bytes_max = bytes_max
        self._segment_max = min(_SEGMENT_BYTES_MAX, bytes_max // _SEGMENT_SHARE)
        self._lost = lost
        self._turn = threading.RLock()
        self._active: int | None = None
        self._fd = -1
        self._unsynced = False
        self._stuck = 0
        """Bytes of segments that are done with and can't be removed."""
        self._head: tuple[int, deque[Record]] | None = None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._place = os.path.realpath(folder)
        if _held.setdefault(self._place, self) is not self:
            raise BlockingIOError("this process has it already")
        self._lock_fd = -1
        try:
            self._lock_fd = _lock(folder / "lock")
            self._list()
        except BaseException:
            self.abandon()
            raise

    def append(self, signal: Signal, items: int, body: bytes) -> None:
        """Write one record behind all others; older ones go where there is no room. Larger than the bound, it is lost."""
        data = encode(signal, items, body)
        with self._turn:
            if len(data) > self._bytes_max:
                self._lost(DropReason.BUFFER_FULL, items)
                return
            self._make_room(len(data))
            if self._active is None or self._segments[self._active] >= self._segment_max:
                self._begin()
            self._write(data)

    def sync(self) -> None:
        """What was appended survives a power cut from here on."""
        with self._turn:
            pending, self._unsynced = self._unsynced and self._fd >= 0, False
            if pending:
                os.fsync(self._fd)

    def oldest(self) -> Record | None:
        """The oldest record that was not sent."""
        with self._turn:
            while self._segments:
                first = min(self._segments)
                if self._head is None or self._head[0] != first:
                    self._head = (first, deque(self._load(first)))
                if self._head[1]:
                    return self._head[1][0]
                self._remove_segment(first)
            return None

    def remove(self, record: Record) -> None:
        """It was sent, or can't be. Marked in place, so that a restart repeats little."""
        with self._turn:
            self._check_open()
            if self._head is None or not self._head[1] or self._head[1][0] is not record:
                return  # its segment went in the meantime, to make room
            self._head[1].popleft()
            if not self._head[1]:
                self._remove_segment(self._head[0])
                return
            with self._path(self._head[0]).open("r+b") as file:
                file.seek(record.offset + _SENT_AT)
                file.write(b"\x01")

    def keep_metrics(self, body: bytes) -> None:
        """The newest cumulative metrics of this process, instead of those kept before."""
        data = encode("metrics", 1, body)
        with self._turn:
            self._make_room(len(data) - self._snapshots.get(self._own, 0))
            part = self._folder / "metrics.part"
            _write_file(part, data)
            part.replace(self._snapshot(self._own))
            _sync_path(self._folder)
            self._snapshots[self._own] = len(data)

    def forget_metrics(self, sequence: int | None = None) -> None:
        """They arrived: this process's own, or those of an earlier one."""
        with self._turn:
            which = self._own if sequence is None else sequence
            if which in self._snapshots:
                self._snapshot(which).unlink(missing_ok=True)
                del self._snapshots[which]

    def earlier_metrics(self) -> Iterator[tuple[int, bytes]]:
        """(sequence, body) of the last unsent metrics of earlier processes, oldest first."""
        for sequence in sorted(self._snapshots):
            if sequence != self._own:
                found = _read(self._snapshot(sequence))
                if len(found) == 1 and isinstance(found[0], Record):
                    yield sequence, found[0].body
                else:
                    self.forget_metrics(sequence)
                    self._lost(DropReason.BUFFER_CORRUPT, 1)

    def is_empty(self) -> bool:
        return self.oldest() is None and all(sequence == self._own for sequence in self._snapshots)

    def size(self) -> int:
        """Bytes on disk."""
        return self._stuck + sum(self._segments.values()) + sum(self._snapshots.values())

    def close(self) -> None:
        """Let another process have it."""
        with self._turn:
            try:
                self.sync()
            finally:
                self.abandon()

    def abandon(self) -> None:
        """Close the files only, without waiting for a lock: in a forked child the parent still has the buffer."""
        for fd in (self._fd, self._lock_fd):
            if fd >= 0:
                os.close(fd)
        self._fd = self._lock_fd = -1
        if _held.get(self._place) is self:
            del _held[self._place]

    def _list(self) -> None:
        """What earlier processes left."""
        (self._folder / "metrics.part").unlink(missing_ok=True)
        self._segments = self._sizes("seg")
        self._snapshots = self._sizes("metrics")
        self._next = max([-1, *self._segments, *self._snapshots]) + 1
        self._own = self._take()
        while len(self._snapshots) > _SNAPSHOTS_MAX:
            self._lost(DropReason.BUFFER_FULL, 1)
            self.forget_metrics(min(self._snapshots))
        self._make_room(0)
        # Fails now where the folder can't be written, instead of when the first outage comes.
        probe = self._folder / "metrics.part"
        _write_file(probe, b"\0")
        probe.unlink()

    def _sizes(self, kind: str) -> dict[int, int]:
        files = [path for path in self._folder.glob(f"*.{kind}") if path.stem.isdecimal()]
        return {int(path.stem): path.stat().st_size for path in files}

    def _take(self) -> int:
        self._next += 1
        return self._next - 1

    def _begin(self) -> None:
        sequence = self._take()
        fd = os.open(self._path(sequence), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._leave()
        self._active, self._fd, self._segments[sequence] = sequence, fd, 0
        _sync_path(self._folder)

    def _leave(self) -> None:
        """Write to a new segment from now on."""
        if self._fd >= 0:
            with suppress(OSError):
                self.sync()
            os.close(self._fd)
        self._active, self._fd = None, -1

    def _write(self, data: bytes) -> None:
        """All of `data` or nothing: a disk that is full in the middle must not leave a torn record in front of others."""
        active = self._active
        assert active is not None  # noqa: S101
        self._unsynced = True
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError:
            written = self._segments[active]
            try:
                os.ftruncate(self._fd, written)
                os.lseek(self._fd, written, os.SEEK_SET)
            except OSError:
                self._segments[active] = self._path(active).stat().st_size
                self._leave()
            raise
        self._segments[active] += len(data)

    def _make_room(self, size: int) -> None:
        """Let the oldest segments go until `size` more bytes fit."""
        self._check_open()
        while self._segments and self.size() + size > self._bytes_max:
            first = min(self._segments)
            items = sum(record.items for record in self._load(first))
            self._remove_segment(first)
            self._lost(DropReason.BUFFER_FULL, items)
        if size and self.size() + size > self._bytes_max:
            raise OSError("no room for more")

    def _check_open(self) -> None:
        if self._lock_fd < 0:
            raise OSError("the buffer is closed")

    def _load(self, sequence: int) -> list[Record]:
        """The unsent records of a segment, which is written no further; what is damaged is counted."""
        if sequence == self._active:
            self._leave()
        if self._head is not None and self._head[0] == sequence:
            return list(self._head[1])
        found = _read(self._path(sequence))
        for damage in found:
            if isinstance(damage, Damage):
                self._lost(DropReason.BUFFER_CORRUPT, damage.items)
        return [record for record in found if isinstance(record, Record) and not record.sent]

    def _remove_segment(self, sequence: int) -> None:
        if sequence == self._active:
            self._leave()
        if self._head is not None and self._head[0] == sequence:
            self._head = None
        size = self._segments.pop(sequence)
        try:
            self._path(sequence).unlink(missing_ok=True)
        except OSError:
            self._stuck += size
            raise

    def _path(self, sequence: int) -> Path:
        return self._folder / f"{sequence:016d}.seg"

    def _snapshot(self, sequence: int) -> Path:
        return self._folder / f"{sequence:016d}.metrics"


def _read(path: Path) -> list[Record | Damage]:
    try:
        return list(decode(path.read_bytes()))
    except OSError:
        return [Damage(1)]


def _lock(path: Path) -> int:
    """A lock that ends with the process, however it ends. BlockingIOError: another one has it."""
    try:
        import fcntl
    except ImportError:
        raise OSError("a disk buffer needs POSIX file locks") from None

    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # Not flock: a child forked while this runs would hold it, and outlive us.
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd


def _write_file(path: Path, data: bytes) -> None:
    """The whole file, for its owner's eyes, on disk when this returns."""
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags | os.O_CLOEXEC, 0o600)) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_path(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
