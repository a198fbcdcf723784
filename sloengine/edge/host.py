"""Use of the host, read from /proc. Where there is none (macOS, a locked container) there are no points, no errors."""

from __future__ import annotations

from pathlib import Path

_STAT = Path("/proc/stat")
_MEMINFO = Path("/proc/meminfo")


class CpuUse:
    """Share of all CPUs' time spent working since the previous call, in [0, 1]; None when nothing can be said."""

    def __init__(self, stat: Path = _STAT) -> None:
        self._stat = stat
        self._previous = _cpu_ticks(stat)

    def __call__(self) -> float | None:
        previous, now = self._previous, _cpu_ticks(self._stat)
        self._previous = now
        if previous is None or now is None:
            return None
        idle, total = now[0] - previous[0], now[1] - previous[1]
        # Idle ticks may run backwards by a little (proc(5)); a share outside [0, 1] would be nonsense.
        return min(1.0, max(0.0, 1 - idle / total)) if total > 0 else None


def memory_use(meminfo: Path = _MEMINFO) -> float | None:
    """Share of memory that is not available to applications, in [0, 1]; None when nothing can be said."""
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
        return 1 - int(lines["MemAvailable"].split()[0]) / int(lines["MemTotal"].split()[0])
    except (OSError, KeyError, ValueError, IndexError, ZeroDivisionError):
        return None


def _cpu_ticks(stat: Path) -> tuple[int, int] | None:
    """(idle, total) ticks since boot; guest time is already inside user time."""
    try:
        with stat.open() as lines:
            ticks = [int(field) for field in lines.readline().split()[1:9]]
    except (OSError, ValueError):
        return None
    return (ticks[3] + ticks[4], sum(ticks)) if len(ticks) >= 5 else None
