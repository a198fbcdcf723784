"""What buckets as corrected now don't say: when what they hold was known, and what of it is not yet counted anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sloengine.config.pace import pace_of
from sloengine.jobs.deps import Deps
from sloengine.jobs.history import owed_before
from sloengine.model import Slo, Source
from sloengine.times import format_duration
from sloengine.tools.outcome import percent
from sloengine.tools.past import Span

LABELLED = frozenset({"predictions", "label.lag", "calibration.ece"})
"""Measures that stand at the time of a prediction and are known when its label is."""


@dataclass(frozen=True, slots=True)
class AsKnown:
    """How much later than the minute that it stands at something was known."""

    known_after: timedelta
    """At the latest, by what the SLO counts; a label's own limit, where it counts labels."""
    labels: Labels | None
    owed: tuple[tuple[str, datetime], ...]
    """Sources, and before when their minutes are not yet counted as the catalogue asks now."""


@dataclass(frozen=True, slots=True)
class Labels:
    """As measured, of the predictions of the span."""

    predictions: int
    labelled: int
    mean: timedelta
    late: timedelta
    """Nine of ten labels had come by then."""


def as_known(engine: Deps, slo: Slo, span: Span) -> AsKnown:
    """What a replay of ``span`` has to say of this SLO.

    Raises:
        StoreUnavailable: ClickHouse does not answer.
    """
    counted = _counted(slo)
    owed = owed_before(engine, {source for source, _ in counted})
    return AsKnown(
        known_after=pace_of(slo.sli).known,
        labels=_labels(engine, slo, span) if {name for _, name in counted} & LABELLED else None,
        owed=tuple((source, before) for source, before in sorted(owed.items()) if before > span.start),
    )


def _counted(slo: Slo) -> set[tuple[Source, str]]:
    rule = slo.sli.slices
    selectors = rule.numerator + rule.denominator if rule else slo.sli.selectors
    return {(s.source, s.name) for s in selectors}


def _labels(engine: Deps, slo: Slo, span: Span) -> Labels | None:
    values = {"service": slo.service, "from": span.start, "until": span.end}
    (row,) = engine.store.rows("backtest_labels", **values)
    if not row["Labelled"]:
        return Labels(row["Predictions"], 0, timedelta(), timedelta())
    return Labels(row["Predictions"], row["Labelled"], *(timedelta(seconds=row[k]) for k in ("MeanS", "LateS")))


def told(found: AsKnown) -> dict[str, Any]:
    labels = found.labels
    return {
        "known_after_s": found.known_after.total_seconds(),
        "labels": labels
        and {
            "predictions": labels.predictions,
            "labelled": labels.labelled,
            "mean_lag_s": labels.mean.total_seconds(),
            "nine_in_ten_s": labels.late.total_seconds(),
        },
        "owed": [{"source": source, "before": before} for source, before in found.owed],
        "words": list(in_words(found)),
    }


def in_words(found: AsKnown) -> list[str]:
    """One sentence for each thing that a reader must not take the replay for."""
    lines = []
    if (labels := found.labels) is not None:
        lines.append(f"as corrected, not as known: {_of_labels(labels)}")
    elif found.known_after:
        lines.append(
            "as corrected, not as known: what it counts was known up to"
            f" {format_duration(found.known_after)} after the minute that it stands at, and so were its alerts"
        )
    lines += [
        f"{source} before {before:%Y-%m-%d %H:%M} UTC are not yet counted as the catalogue now asks: their figures may change"
        for source, before in found.owed
    ]
    return lines


def _of_labels(labels: Labels) -> str:
    if not labels.predictions:
        return "no prediction record of this time is in the store, so nobody can tell when its labels came"
    without = percent(1 - labels.labelled / labels.predictions, 1)
    if not labels.labelled:
        return f"none of {labels.predictions} predictions has a label yet"
    return (
        f"labels came on average {_rough(labels.mean)} after the prediction, nine in ten within {_rough(labels.late)},"
        f" and {without} have none yet; alerts would have come later by as much"
    )


def _rough(length: timedelta) -> str:
    """To the minute, where there are any."""
    seconds = int(length.total_seconds())
    return format_duration(timedelta(seconds=seconds - seconds % 60 if seconds >= 60 else seconds))
