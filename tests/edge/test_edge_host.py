"""The host's use, from files like those in /proc."""

from __future__ import annotations

import pytest

from sloengine.edge.host import CpuUse, memory_use


def test_cpu_use_is_the_share_of_ticks_that_were_not_idle(tmp_path):
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 1 1 1\n")
    use = CpuUse(stat)
    stat.write_text("cpu  120 0 110 760 110 0 0 0 90 0\n")
    assert use() == pytest.approx(0.3)
    assert use() is None, "no ticks since"


@pytest.mark.parametrize("text", [None, "", "cpu a b c\n", "cpu 1 2\n"])
def test_without_a_readable_stat_there_is_no_cpu_use(tmp_path, text):
    stat = tmp_path / "stat"
    if text is not None:
        stat.write_text(text)
    use = CpuUse(stat)
    assert use() is None


def test_memory_use_is_what_is_not_available(tmp_path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  250 kB\n")
    assert memory_use(meminfo) == 0.75
    meminfo.write_text("MemTotal: 0 kB\nMemAvailable: 0 kB\n")
    assert memory_use(meminfo) is None
    assert memory_use(tmp_path / "none") is None
