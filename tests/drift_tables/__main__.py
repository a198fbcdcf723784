"""`make drift-tables`: what drift detection finds and what it calls drift by chance, written to docs/drift-shown.md."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from sloengine.tools.progress import bar
from tests.drift_tables import calibration, digits, fleets, power, spending
from tests.drift_tables.run import FULL, QUICK, SEED, Found, Task, flowing

OUT = Path(__file__).parents[2] / "docs" / "drift-shown.md"
SECTIONS = (calibration, power, digits, fleets, spending)
EVERY_S = 15.0
"""Between lines about progress where nobody watches a bar."""


def main(arguments: Sequence[str] | None = None) -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.drift_tables", description=__doc__)
    asked.add_argument(
        "--quick", action="store_true", help="a run of seconds whose figures mean nothing; prints and writes no docs"
    )
    asked.add_argument("--out", type=Path, help=f"where to write (default {OUT.relative_to(OUT.parents[1])})")
    options = asked.parse_args(arguments)
    size = QUICK if options.quick else FULL
    found = worked([task for section in reversed(SECTIONS) for task in section.tasks(size)])
    short = [f"- {line}" for section in SECTIONS for line in section.short(found)]
    parts = [head(), "\n".join(short), "", *(section.text(found, size) for section in SECTIONS)]
    written = flowing("\n".join(parts).strip()) + "\n"
    out = options.out or (None if options.quick else OUT)
    if out is None:
        print(written)
    else:
        out.write_text(written, encoding="utf-8")
    return 0


def head() -> str:
    return f"""# Drift detection, shown

What the indices of [drift](drift.md) find and what they call drift by chance. Written by

```
make drift-tables
```

Every number below comes from that run (seed {SEED}): the same numbers each time, on any number of processors.
Indices and p-values are
those of `sloengine drift compare`; scipy's functions get the same bins. The dummy detector is the rule of thumb
that a PSI above 0.1 is drift.
How long things take is in `make bench`.
"""


def worked(tasks: Sequence[Task]) -> Found:
    """All tasks on all processors, the longest first as far as their order tells; progress on stderr."""
    found: Found = {}
    began = told = time.monotonic()
    with bar("drift tables") as drawn, ProcessPoolExecutor(os.cpu_count()) as pool:
        running = [pool.submit(task) for task in tasks]
        for done, future in enumerate(as_completed(running), 1):
            key, value = future.result()
            found[key] = value
            drawn(done, len(tasks))
            if not sys.stderr.isatty() and time.monotonic() - told > EVERY_S:
                told = time.monotonic()
                print(f"{done} of {len(tasks)} cells after {told - began:.0f} s", file=sys.stderr, flush=True)
    return {task.key: found[task.key] for task in tasks}


if __name__ == "__main__":
    raise SystemExit(main())
