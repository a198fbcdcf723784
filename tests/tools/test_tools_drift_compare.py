"""`sloengine drift compare`: figures, verdicts, exit codes, and words for what can't be compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from sloengine.cli import app

REFERENCE = {"bounds": [1, 2, 3, 4, 5, 6], "counts": [120, 230, 300, 200, 100, 50, 0]}
CURRENT = {"bounds": [1, 2, 3, 4, 5, 6], "counts": [60, 180, 310, 250, 130, 60, 10]}
KEYS = {"n", "bins", "indices", "resolution_error", "smallest_detectable", "verdict", "reason"}


def compared(tmp_path: Path, baseline: object, current: object, *options: str) -> tuple[dict[str, Any], int]:
    files = []
    for name, held in (("baseline", baseline), ("current", current)):
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(held if isinstance(held, str) else json.dumps(held), encoding="utf-8")
    result = CliRunner().invoke(app, ["drift", "compare", *map(str, files), "--json", *options])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return json.loads(result.stdout), result.exit_code


def test_the_worked_example_is_drift_with_every_figure(tmp_path: Path) -> None:
    found, code = compared(tmp_path, REFERENCE, CURRENT)
    assert set(found) >= KEYS
    assert (found["verdict"], code, found["bins"], found["n"]) == ("drift", 1, 7, {"baseline": 1000, "current": 1000})
    values = {name: index["value"] for name, index in found["indices"].items()}
    assert values["psi"] == pytest.approx(0.10474775516933, abs=1e-13)
    assert values["ks"] == pytest.approx(0.11, abs=1e-13)
    assert values["js"] == pytest.approx(0.11283742887638, abs=1e-13)
    assert values["hellinger"] == pytest.approx(0.11967320967497, abs=1e-13)
    assert values["chi2"] == pytest.approx(46.63918534, abs=1e-8)
    # Five bins of width one; the open ones have none.
    assert values["wasserstein"] == pytest.approx(0.315, abs=1e-13)
    assert all(0 < index["p"] < 0.001 for index in found["indices"].values())
    assert found["indices"]["chi2"]["p"] == pytest.approx(2.2082378864e-08, rel=1e-8)
    assert found["resolution_error"]["ks"] == pytest.approx(0.3, abs=1e-12)
    assert found["smallest_detectable"] | {"value": 0} == {"index": "psi", "value": 0, "alpha": 0.01, "power": 0.8}
    assert 0.03 < found["smallest_detectable"]["value"] < 0.04
    assert found["outside"] == {"below": {"baseline": 0.12, "current": 0.06}, "above": {"baseline": 0, "current": 0.01}}


def test_what_does_not_matter_is_no_drift_although_it_is_no_chance(tmp_path: Path) -> None:
    found, code = compared(tmp_path, REFERENCE, CURRENT, "--min-psi", "0.2")
    assert (found["verdict"], code) == ("no_drift", 0)
    assert "although it is no chance" in found["reason"]


def test_equal_histograms_are_no_drift(tmp_path: Path) -> None:
    found, code = compared(tmp_path, REFERENCE, REFERENCE)
    assert (found["verdict"], code) == ("no_drift", 0)
    assert {name: index["p"] for name, index in found["indices"].items()} == dict.fromkeys(found["indices"], 1)


@pytest.mark.parametrize(
    ("baseline", "current", "words"),
    [
        (REFERENCE, {"bounds": [1, 2, 3, 4, 5, 6], "counts": [0] * 7}, "the current histogram holds no events"),
        ({"categories": {}}, {"categories": {"a": 4}}, "the baseline holds no events"),
        (REFERENCE, {"bounds": [1, 2, 3, 4, 5, 6], "counts": [1, 1, 3, 3, 1, 0, 0]}, "so few events"),
        (REFERENCE, {"bounds": [1, 2, 3, 4, 5, 6], "counts": [2, 1, 1, 0, 0, 1, 0]}, "show it by chance"),
    ],
)
def test_too_few_events_are_a_verdict_of_their_own(tmp_path: Path, baseline: Any, current: Any, words: str) -> None:
    found, code = compared(tmp_path, baseline, current, "--alpha", "0.001")
    assert (found["verdict"], code) == ("not_enough_data", 0)
    assert words in found["reason"]


def test_indices_that_need_an_order_are_none_for_categories(tmp_path: Path) -> None:
    found, code = compared(tmp_path, {"categories": {"a": 500, "b": 500}}, {"categories": {"a": 300, "c": 700}})
    assert (found["verdict"], code) == ("drift", 1)
    assert [name for name, index in found["indices"].items() if index is None] == ["ks", "wasserstein"]
    assert found["resolution_error"]["ks"] is None


def test_exponential_histograms_of_different_scales_are_brought_to_the_coarser(tmp_path: Path) -> None:
    fine = {"scale": 3, "zero_count": 2, "zero_threshold": 0, "positive": {"offset": -1, "counts": [100, 0, 40, 3, 55]}}
    coarse = {"scale": 2, "zero_count": 2, "positive": {"offset": -1, "counts": [100, 40, 58]}, "negative": None}
    found, code = compared(tmp_path, fine, coarse)
    assert (found["n"], found["bins"], code) == ({"baseline": 200, "current": 200}, 4, 0)
    assert found["indices"]["ks"]["value"] == pytest.approx(0.0, abs=1e-12)
    assert found["note"] == "joined to buckets of scale 2"


REFUSED = [
    ("{", "not JSON: line 1"),
    ("[" * 100_000, "not JSON"),
    ("[1]", "expected one object"),
    ("{}", "none of bounds, scale and categories"),
    ({"bounds": [1], "counts": [1, 2], "scale": 3}, "bounds and scale"),
    ({"bounds": [1], "counts": [1, 2], "sum": 3}, "'sum' is no field"),
    ({"bounds": [1], "counts": "12"}, "counts must be a list"),
    ({"bounds": [1, "2"], "counts": [1, 2, 3]}, 'bounds[1] is "2"; it must be a number'),
    ('{"bounds": [1, NaN], "counts": [1, 2, 3]}', "bounds[1] is nan"),
    ({"bounds": [1], "counts": [1, -1]}, "counts[1] is -1"),
    ({"bounds": [1], "counts": [True, 1]}, "counts[0] is true"),
    ({"bounds": [1], "counts": [10**400, 1]}, "counts[0] is larger than any double"),
    ({"scale": 2.5}, "scale is 2.5; it must be a whole number"),
    ({"scale": 2, "positive": [1]}, "positive must be"),
    ({"scale": 2, "positive": {"offset": "a", "counts": []}}, 'positive.offset is "a"'),
    ({"categories": [1, 2]}, "categories must be an object"),
    ({"categories": {"a": None}}, "categories['a'] is null"),
    ({"categories": {"a": 1}}, "no bins in common"),
]


@pytest.mark.parametrize(("current", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_what_cannot_be_compared_is_refused_with_the_place(tmp_path: Path, current: object, words: str) -> None:
    found, code = compared(tmp_path, REFERENCE, current)
    assert (found["verdict"], code) == ("refused", 2)
    assert words in found["reason"]
    assert all(index is None for index in found["indices"].values())


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["drift", "compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")])
    assert result.exit_code == 2
    assert "a.json: can't be read: No such file" in result.stderr


def test_a_person_reads_the_verdict_first_and_every_index(tmp_path: Path) -> None:
    files = [tmp_path / "b.json", tmp_path / "c.json"]
    for path, held in zip(files, (REFERENCE, CURRENT), strict=True):
        path.write_text(json.dumps(held))
    result = CliRunner().invoke(app, ["drift", "compare", *map(str, files)])
    assert result.exit_code == 1
    assert result.stdout.startswith("DRIFT: PSI 0.1047 is at least 0.1 and no chance")
    for words in (
        "Kolmogorov-Smirnov",
        "Wasserstein",
        "chi-squared",
        "below all bounds: 12.00% in the baseline, 6.00% now",
    ):
        assert words in result.stdout


def test_chance_is_counted_out_where_bins_are_nearly_empty(tmp_path: Path) -> None:
    """Of 20 bins with a handful of events the limit would find drift in most pairs without any."""
    dice, found = np.random.default_rng(4), 0
    for _ in range(60):
        sides = [{"bounds": list(range(19)), "counts": dice.multinomial(60, np.full(20, 0.05)).tolist()} for _ in "ab"]
        found += compared(tmp_path, *sides)[0]["verdict"] == "drift"
    assert found <= 4
