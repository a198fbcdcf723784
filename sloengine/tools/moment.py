"""SLOs judged at any moment, from the buckets as they are corrected now. What `explain` and `gate` start from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sloengine.evaluate.cube import Cube
from sloengine.evaluate.exclusions import MINUTE, TooManyCuts, absences, occurrences
from sloengine.evaluate.judge import judge
from sloengine.evaluate.measure import Frame, Measured, exclude, frame_of, measure
from sloengine.evaluate.periods import Interval, targets_between
from sloengine.evaluate.plan import Matches
from sloengine.jobs.deps import Deps
from sloengine.jobs.evaluate import read_cube
from sloengine.model import Exclusion, Slo, Status
from sloengine.tools.outcome import Refused


@dataclass(frozen=True, slots=True)
class Moment:
    """What was counted up to a moment, cut into the bands that some SLOs need."""

    engine: Deps
    at: datetime
    frame: Frame
    whole: Cube
    cube: Cube


def view_at(engine: Deps, slos: Iterable[Slo], at: datetime) -> Moment:
    """Read the buckets up to and including the minute of ``at``, as corrected by now.

    Raises:
        Refused: even these are too much for the engine's memory.
    """
    asked = replace(engine.catalogue, slos=tuple(slos))
    # Its own memory of matches: an SLO of another catalogue may have the name of one that the engine knows.
    own = replace(engine, catalogue=asked, matches=Matches())
    try:
        frame = frame_of(asked.slos, asked.exclusions, at)
        whole = read_cube(own, frame)
    except TooManyCuts as error:
        raise Refused(str(error)) from error
    return Moment(own, at, frame, whole, exclude(whole, asked.exclusions, frame))


def judged(moment: Moment, slo: Slo) -> tuple[list[Measured], list[Status]]:
    """Each slice of an SLO as measured and as judged."""
    measured = measure(slo, moment.cube, moment.whole, moment.frame, moment.engine.matches)
    known = moment.engine.catalogue
    absent = absences(known.exclusions, known.nodes, moment.frame.edges[0], moment.at)
    return measured, judge(slo, measured, known.nodes, moment.at, absent)


def as_of(slo: Slo, at: datetime) -> Slo:
    """The SLO with the target that it had then."""
    if not slo.targets:
        return slo
    return replace(slo, target=targets_between(slo.targets, at, at + MINUTE)[0][2])


def excluded_spans(
    exclusions: Iterable[Exclusion], lo: datetime, hi: datetime
) -> list[tuple[Exclusion, Sequence[Interval]]]:
    """Which parts of ``[lo, hi)`` each exclusion takes out; those that take out nothing are left away."""
    found = [(exclusion, occurrences(exclusion, lo, hi)) for exclusion in exclusions]
    return [(exclusion, spans) for exclusion, spans in found if spans]
