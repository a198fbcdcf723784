"""From the fault to the page at default settings: one model fails everywhere in one region, devices export every 10 s."""

import json
import subprocess
import sys
import tempfile
from typing import Any

GOAL_S = 120.0
NEVER_S = 9999.0
"""No page, not exactly one, or not over the collector: JSON has no infinity."""


def run() -> list[dict[str, Any]]:
    """One demo, the whole path; seconds from the moment the model files are damaged to the page at the webhook."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "sloengine", "demo", "--once", "--json"],
            cwd=folder,
            stdout=subprocess.PIPE,
            check=False,
        )
    result = json.loads(done.stdout or b'{"ok": false, "transport": "nothing"}')
    arrived = result["ok"] and result["transport"] == "collector"
    seconds = result["fault_to_page_s"] if arrived else NEVER_S
    return [
        {
            "name": f"fault to page over {result['transport']}",
            "ratio": seconds,
            "unit": "s",
            "goal": GOAL_S,
            "better": "lower",
            "ok": seconds <= GOAL_S,
        }
    ]
