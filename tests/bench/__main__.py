"""`make bench`: ratios measured side by side in one run, printed and written to bench.json."""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

MODULES = (
    "edge",
    "embedded_insert",
    "slo_windows",
    "roll_up_spans",
    "late_day",
    "drift_compare",
    "drift_fleet",
    "fault_to_page",
    "alerts_storm",
)


# Benchmarks share a rig as tests do, by its plain name; engines in processes of their own are handed this path.
sys.path.insert(0, str(Path(__file__).parent))


def main() -> int:
    results: list[dict[str, Any]] = []
    for name in sys.argv[1:] or MODULES:
        print(f"… {name}", file=sys.stderr)
        for result in import_module(f"tests.bench.{name}").run():
            results.append(result)
            mark = "ok  " if result["ok"] else "MISS"
            goal = f"goal {'≥' if result['better'] == 'higher' else '≤'} {result['goal']}"
            print(f"{mark} {result['name']}: {result['ratio']:.3g} {result['unit']} ({goal})")
    Path("bench.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
