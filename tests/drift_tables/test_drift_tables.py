"""docs/drift-shown.md is what a command writes: a quick run writes the same tables, and what they are made of is what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy import special, stats

ROOT = Path(__file__).parents[2]
# The tables are a package of their own, run as a module from the root.
sys.path.insert(0, str(ROOT))

from tests.drift_tables import calibration, fleets, pictures, shapes  # noqa: E402
from tests.drift_tables.judging import scipys  # noqa: E402
from tests.drift_tables.run import flowing, psi_of  # noqa: E402


def skeleton(text: str) -> list[str]:
    """Headings and heads of tables: what does not depend on how often anything was drawn."""
    lines = text.splitlines()
    heads = [line for line, below in pairwise(lines) if re.fullmatch(r"\|(---\|)+", below)]
    return [line for line in lines if line.startswith("#") or line in heads]


def test_the_docs_hold_the_tables_that_the_command_writes(tmp_path: Path) -> None:
    out = tmp_path / "shown.md"
    command = [sys.executable, "-m", "tests.drift_tables", "--quick", "--out", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    written, kept = out.read_text(encoding="utf-8"), (ROOT / "docs" / "drift-shown.md").read_text(encoding="utf-8")
    assert skeleton(written) == skeleton(kept)
    assert not re.search(r"\b(nan|inf)\b", kept)


@pytest.mark.parametrize("bins", [4, 16])
@pytest.mark.parametrize("kind", shapes.MOVES)
def test_shifts_have_the_psi_that_is_stated(kind: str, bins: int) -> None:
    before, after = shapes.moved_by(kind, bins, 0.1)
    assert psi_of(before, after) == pytest.approx(0.1, rel=1e-6)
    assert before.sum() == pytest.approx(1) and after.sum() == pytest.approx(1)


def test_a_drifting_fleets_series_have_the_psi_that_is_stated() -> None:
    shares = np.random.default_rng(1).dirichlet(np.ones(20), size=50)
    assert psi_of(shares, fleets.moved(shares, 0.25)) == pytest.approx(np.full(50, 0.25), rel=1e-5)


def test_unruly_hours_vary_as_much_as_is_stated() -> None:
    shares, chance = np.full((2000, 5), 0.2), np.random.default_rng(2)
    hours = fleets.hours_of(shares, 300, chance, (4.0, fleets.SCENES))
    drawn = [next(hours) for _ in range(12)]
    assert np.var(drawn[0][:, 0]) / (300 * 0.2 * 0.8) == pytest.approx(4, rel=0.15)
    assert np.corrcoef(drawn[0][:, 0], drawn[5][:, 0])[0, 1] == pytest.approx(0.75, abs=0.05)
    assert abs(np.corrcoef(drawn[5][:, 0], drawn[6][:, 0])[0, 1]) < 0.08


def test_what_is_said_of_scipy_is_what_scipy_says() -> None:
    dice = np.random.default_rng(3)
    base, now = dice.multinomial(900, np.full(8, 1 / 8)), dice.multinomial(200, np.full(8, 1 / 8))
    by_ks, by_chi2 = scipys(base.astype(float), now.astype(float))
    values = [np.repeat(np.arange(8), side) for side in (base, now)]
    assert by_ks == pytest.approx(stats.ks_2samp(*values, method="asymp").pvalue, rel=1e-9)
    assert by_chi2 == pytest.approx(stats.chi2_contingency([base, now]).pvalue, rel=1e-9)


def test_tails_that_are_counted_out_are_those_of_simulation() -> None:
    drawn = np.random.default_rng(4).multinomial(50, np.full(4, 0.25), size=400_000)
    p = special.chdtrc(3, np.sum((drawn - 12.5) ** 2 / 12.5, axis=1))
    assert calibration.tail_of(4, 50)["χ²"][0] == pytest.approx(np.mean(p <= 1e-3) / 1e-3, rel=0.15)


def test_only_what_a_corruption_is_about_changes() -> None:
    calm = pictures.stream(*pictures.UNDRIFTED)
    renamed = pictures.stream("what is true of so many digits", 4)
    assert np.array_equal(renamed.scores, calm.scores) and renamed.accuracy < calm.accuracy
    mixed = pictures.stream("label mix, share of zeros", 0.5)
    assert mixed.weights[mixed.truth == 0].sum() == pytest.approx(0.5)
    assert calm.by_score().sum() == pytest.approx(1) and calm.by_class().sum() == pytest.approx(1)


def test_paragraphs_flow_and_tables_stay() -> None:
    assert flowing("## A\n\na\nb\n\n| x |\n|---|\n| 1 |") == "## A\n\na b\n\n| x |\n|---|\n| 1 |"
