"""Insert bodies between socket and engine: whole before the engine sees a byte, in memory that it can open by name.

A memfd vanishes with the process, so kill -9 leaves nothing behind; where there is none (macOS) a file serves.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from threading import Lock

from sloengine.embedded import errors
from sloengine.embedded.errors import StoreError

_SPARES = 2
_SPARE_BYTES = 64 << 20


class Budget:
    """Bytes that all bodies held at one time may take together."""

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes
        self._spares: list[int] = []
        self._lock = Lock()

    def take(self, size: int) -> None:
        with self._lock:
            if size > self._left:
                raise StoreError(
                    errors.TOO_MANY_SIMULTANEOUS_QUERIES, "Too many insert bodies at one time. Try again later."
                )
            self._left -= size

    def give(self, size: int) -> None:
        with self._lock:
            self._left += size

    def take_spare(self) -> int | None:
        with self._lock:
            return self._spares.pop() if self._spares else None

    def keep_spare(self, fd: int) -> bool:
        """Pages already there are written three times as fast as new ones: a few small bodies' memory is kept."""
        if os.fstat(fd).st_size > _SPARE_BYTES:
            return False
        with self._lock:
            if len(self._spares) < _SPARES:
                self._spares.append(fd)
                return True
        return False


class Spool:
    """One body. `name` is what `FROM INFILE` opens, once `seal` has cut it to what was written."""

    def __init__(self, budget: Budget, folder: Path) -> None:
        self._budget = budget
        self.size = 0
        spare = budget.take_spare()
        if spare is not None:
            self._fd = spare
            os.lseek(spare, 0, os.SEEK_SET)
        elif hasattr(os, "memfd_create"):
            self._fd = os.memfd_create("sloengine-insert")
        else:
            self._fd, self._path = tempfile.mkstemp(prefix="insert-", dir=folder)
        self.name = f"/proc/self/fd/{self._fd}" if hasattr(os, "memfd_create") else self._path

    def write(self, data: bytes) -> None:
        self._budget.take(len(data))
        self.size += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def seal(self) -> None:
        """Cut off what an earlier body left behind the end of this one."""
        os.ftruncate(self._fd, self.size)

    def close(self) -> None:
        """Free the memory, or keep it for the next body. Safe to call twice."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        self._budget.give(self.size)
        if not self.name.startswith("/proc/"):
            os.close(fd)
            Path(self.name).unlink(missing_ok=True)
        elif not self._budget.keep_spare(fd):
            os.close(fd)
