"""Segments: a model that is worse for some is found out, chance is not taken for a gap, and missing labels are shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from engine_rig import BASE, MINUTE, Rig, slo
from prediction_histories import COLUMNS, Prediction
from typer.testing import CliRunner, Result

from sloengine import cli
from sloengine.model import Component, Matcher, Selector, Sli, Source
from sloengine.tools.segments import run_segments

NOW = BASE + 30 * MINUTE
SITES = {"thin": (60, 40, 100), "bold": (190, 10, 0), "rare": (4, 1, 0)}
"""Segment: predictions that are right, wrong, without a label."""


def _accuracy() -> Sli:
    def told(*where: Matcher) -> tuple[Selector, ...]:
        return (Selector(Source.DERIVED, "predictions", where),)

    return Sli(told(Matcher("verdict", "=", "correct")), told(Matcher("verdict", "=", "wrong")), told())


ACCURACY = slo("accuracy", sli=_accuracy(), target=0.9, by=("region", "edge.segment.site"))
SLOS = (
    ACCURACY,
    replace(ACCURACY, name="whole", by=("model",)),
    replace(slo("both", by=()), components=(Component("accuracy", 1), Component("whole", 1))),
)


def _predictions(region: str, sites: dict[str, tuple[int, int, int]], th: str = "0") -> list[Prediction]:
    out = []
    for site, numbers in sites.items():
        for truth, count in zip(("cat", "dog", ""), numbers, strict=True):
            for n in range(count):
                at = BASE + timedelta(seconds=7 * n)
                ident = f"{region}-{site}-{truth}-{n}"
                out.append(Prediction(ident, at, at, truth=truth, segment=site, region=region, th=th))
    return out


@pytest.fixture(scope="module")
def told(rigs: Callable[..., Rig]) -> Rig:
    rig = rigs(slos=SLOS)
    alike = dict.fromkeys("abcde", (180, 20, 0))
    made = _predictions("eu", SITES) + _predictions("us", alike)
    # Kept one in two: each of those kept stands for two.
    made += [p for p in _predictions("ap", {"x": (300, 100, 0), "y": (300, 100, 0)}, "8") if p.weight]
    rig.store.insert("otel_logs", COLUMNS, [p.row() for p in made])
    rig.tick(NOW)
    return rig


def _of(found: dict[str, Any], region: str) -> dict[str, Any]:
    return next(s for s in found["slices"] if s["slice"] == {"region": region})


def test_a_segment_that_is_served_worse_is_found_with_the_gap_and_its_interval(told: Rig) -> None:
    outcome = run_segments(told.deps, "accuracy", NOW)
    eu = _of(outcome.found, "eu")
    assert outcome.code == 1
    assert [r["segment"] for r in eu["segments"]] == ["thin", "rare", "bold"]
    gap = eu["gap"]
    assert (gap["worst"], gap["best"], gap["sure"]) == ("thin", "bold", True)
    assert gap["gap"] == pytest.approx(0.95 - 0.6)
    assert 0.2 < gap["interval"][0] < 0.35 < gap["interval"][1] < 0.5
    assert eu["left_out"] == ["rare"]
    for words in ("35.00 % as seen, thin below bold", "surely a gap", "left out: rare", "below the promise"):
        assert words in outcome.text, words


def test_missing_labels_are_shown_and_warned_about_where_one_segment_lacks_more(told: Rig) -> None:
    outcome = run_segments(told.deps, "accuracy", NOW, slice_="region=eu")
    rows = {r["segment"]: r for r in outcome.found["slices"][0]["segments"]}
    assert rows["thin"]["coverage"] == 0.5
    assert rows["thin"]["bounds"] == (0.3, 0.8)
    assert rows["bold"]["coverage"] == 1
    assert "beware    fewer of thin are told than of bold" in outcome.text
    assert "beware" not in run_segments(told.deps, "accuracy", NOW, slice_="region=us").text


def test_segments_that_are_alike_have_no_gap_and_it_is_said_what_chance_alone_makes(told: Rig) -> None:
    outcome = run_segments(told.deps, "accuracy", NOW, slice_="region=us")
    gap = outcome.found["slices"][0]["gap"]
    assert (outcome.code, gap["interval"][0], gap["sure"]) == (0, 0.0, False)
    # Five shares of 200 events at 90 %: the mean range of five normal variables is 2.326 standard errors.
    assert gap["by_chance"] == pytest.approx(2.326 * (0.9 * 0.1 / 200) ** 0.5, rel=0.01)
    assert "may be none" in outcome.text


def test_segments_intervals_hold_together_and_sampled_ones_know_less(told: Rig) -> None:
    found = run_segments(told.deps, "accuracy", NOW).found
    us, ap = _of(found, "us")["segments"], _of(found, "ap")["segments"]
    width = us[0]["interval"][1] - us[0]["interval"][0]
    alone = 2 * 1.96 * (0.9 * 0.1 / 200) ** 0.5
    assert width > 1.25 * alone, "each at 0.95 to the fifth root"
    assert all(r["sampled"] and r["effective"] == pytest.approx((r["good"] + r["bad"]) / 2) for r in ap)


def test_a_margin_is_as_good_as_no_gap(told: Rig) -> None:
    assert run_segments(told.deps, "accuracy", NOW, margin=0.45).code == 0
    assert run_segments(told.deps, "accuracy", NOW, margin=0.1).code == 1
    assert run_segments(told.deps, "accuracy", NOW, margin=1.5).code == 2


def test_any_slo_over_the_same_buckets_can_be_told_apart_by_what_they_hold(told: Rig) -> None:
    whole = run_segments(told.deps, "whole", NOW)
    assert whole.found["by"] == "edge.segment.site"
    assert [s["slice"] for s in whole.found["slices"]] == [{"model": "m"}]
    regions = run_segments(told.deps, "whole", NOW, by="region").found["slices"][0]["segments"]
    assert {r["segment"] for r in regions} == {"eu", "us", "ap"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "acuracy"}, "did you mean accuracy"),
        (
            {"name": "whole", "by": "edge.segment.stroke"},
            "has passed; did you mean edge.segment.site",
        ),
        ({"name": "whole", "by": "device"}, "don't tell device apart"),
        ({"name": "accuracy", "slice_": "region=mars"}, "no such slice"),
        ({"name": "both"}, "composed of other SLOs"),
    ],
)
def test_a_mistake_is_told_with_what_to_do(told: Rig, arguments: dict[str, str], words: str) -> None:
    outcome = run_segments(told.deps, arguments.pop("name"), NOW, **arguments)  # type: ignore[arg-type]
    assert outcome.code == 2
    assert words in outcome.text


CATALOGUE = """\
apiVersion: openslo/v1
kind: SLO
metadata: {name: accuracy, annotations: {sloengine.dev/by: "region, edge.segment.site"}}
spec:
  service: digits
  indicatorRef: M3
  timeWindow: [{duration: 7d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.9}]
"""


def test_the_command_prints_one_object_and_exits_by_the_gap(
    told: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "catalogue" / "slos.yaml").write_text(CATALOGUE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLOENGINE_STORE__URL", told.settings.store.url)
    monkeypatch.setenv("SLOENGINE_STORE__DATABASE", told.settings.store.database)

    def command(*words: str) -> Result:
        return CliRunner().invoke(cli.app, ["segments", "accuracy", *words])

    done = command("--json", "--slice", "region=eu")
    assert done.exit_code == 1, done.output
    assert json.loads(done.stdout)["slices"][0]["gap"]["worst"] == "thin"
    done = command("--by", "edge.segment.site", "--slice", "region=us")
    assert (done.exit_code, "by chance alone" in done.stdout) == (0, True)
    assert command("--by", "nothing").exit_code == 2
