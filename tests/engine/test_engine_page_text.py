"""What a page of the engine carries for those who are woken by it: the worst nodes, how sure it is, and a dashboard's address."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from engine_rig import BASE, MINUTE, Rig, Series, slo

from sloengine.model import Weighting


def test_a_page_names_the_worst_nodes_its_interval_and_a_dashboard_that_can_be_opened(rigs: Callable[..., Rig]) -> None:
    rig = rigs(slos=[replace(slo(by=("region",)), weighting=Weighting.NODES)])
    rig.deps = replace(rig.deps, settings=rig.settings.model_copy(update={"grafana_url": "https://grafana.example"}))
    for n in range(6):
        rig.points.traffic(Series(device=f"d-{n}", region="eu"), BASE, 70, 10, 20 if n == 4 else 10)
    rig.points.flush()
    rig.tick(BASE + 70 * MINUTE)
    page = next(alert for alert in rig.pager.pages() if alert["labels"]["severity"] == "page")
    notes = page["annotations"]
    named = [part.partition(":")[0] for part in notes["nodes"].split("; ")]
    assert (named[0], set(named)) == ("d-4", {f"d-{n}" for n in range(6)})
    assert notes["nodes"].startswith("d-4: 1,4")
    low, high = json.loads(notes["evidence"])["interval"]
    assert 0 <= low < 0.5 < high <= 1
    assert notes["dashboard"] == "https://grafana.example/d/sloengine-on-call?var-region=eu&var-model=$__all"
