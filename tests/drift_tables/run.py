"""What every table shares: sizes, chance by name, one task for one cell, and Markdown."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Any

import numpy as np

from sloengine.evaluate.drift.histogram import Floats

SEED = 20_261
WIDTH = 140
ALPHAS = (0.05, 0.01, 0.001)
RULE_OF_THUMB = 0.1
"""The dummy detector: drift is a PSI above this, whatever the number of events."""


@dataclass(frozen=True, slots=True)
class Size:
    """How often everything is drawn."""

    pairs: int
    """Pairs of histograms that `compare` judges in each cell without drift."""
    power_pairs: int
    rounds: int
    """How often `compare` deals events out anew in tables; 4,999 for users."""
    many: int
    """Pairs in each cell of tables that need no deals."""
    tail_events: tuple[int, ...]
    """Of which all outcomes are counted out."""
    hours: int
    """Of a replay at each strength of each corruption."""
    months: int
    fleets: int
    """Calm weeks in a quarter of a cell."""
    looks: int
    """At one fleet of which a share drifts."""
    series: tuple[int, ...]
    run_lengths: int
    """Series of which run lengths are taken."""
    week: int
    """Hours of baselines and of looks at fleets."""
    stated: tuple[float, ...]
    """Run lengths that are stated of cumulative sums."""


FULL = Size(
    pairs=200,
    power_pairs=100,
    rounds=999,
    many=20_000,
    tail_events=(50, 200),
    hours=120,
    months=3,
    fleets=12,
    looks=5,
    series=(2_000, 20_000),
    run_lengths=200,
    week=168,
    stated=(100.0, 1_000.0),
)
QUICK = Size(
    pairs=3,
    power_pairs=2,
    rounds=99,
    many=200,
    tail_events=(20,),
    hours=2,
    months=1,
    fleets=1,
    looks=1,
    series=(40, 80),
    run_lengths=10,
    week=5,
    stated=(20.0,),
)


@dataclass(frozen=True, slots=True)
class Task:
    """One cell: a function of the module's top level, so that another process can run it."""

    key: tuple[Any, ...]
    work: Callable[..., Any]
    arguments: tuple[Any, ...]

    def __call__(self) -> tuple[tuple[Any, ...], Any]:
        return self.key, self.work(*self.arguments)


Found = dict[tuple[Any, ...], Any]
"""What tasks gave, by their keys."""


def dice(*name: object) -> np.random.Generator:
    """Chance of its own for everything that has a name, whatever else runs."""
    return np.random.default_rng([SEED, zlib.crc32(repr(name).encode())])


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def flowing(text: str) -> str:
    """Markdown whose paragraphs are filled to lines of one length; tables, headings and code stay as they are."""
    blocks = re.split(r"\n{2,}", text)
    return "\n\n".join(block if block.startswith(("|", "#", "```", "- ")) else fill(block, WIDTH) for block in blocks)


def whole(number: float) -> str:
    return f"{number:,.0f}"


def percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{share:.0%}" if share in (0, 1) or 0.1 <= share < 0.995 else f"{share:.1%}"


def margin(share: float, runs: int) -> float:
    """Two standard errors of a share of so many runs."""
    return 2 * float(np.sqrt(share * (1 - share) / runs))


def psi_of(before: Floats, after: Floats) -> Floats:
    """Of shares themselves, as of endless events, shapes (..., B); bins that are empty on either side are left out."""
    with np.errstate(divide="ignore", invalid="ignore"):
        cells = (after - before) * np.log(after / before)
    return np.asarray(np.sum(np.where((before > 0) & (after > 0), cells, 0.0), axis=-1))
