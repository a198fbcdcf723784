"""Our own kind DriftMonitor: what is watched for drift, read and checked; and as a document again."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any

from sloengine.config.annotations import ACTIONABLE, BY_MAX, PREFIX, actionable, read_annotations
from sloengine.config.documents import OWN, DriftDocument, DriftSpec
from sloengine.config.findings import Findings, documented, near
from sloengine.config.kept import About, written_about
from sloengine.config.matchers import VALUE, each_of, is_name, shown
from sloengine.config.windows import rolling, span
from sloengine.model import DIMENSIONS
from sloengine.monitor import LEVELS, Against, DriftMonitor, Values
from sloengine.times import format_duration

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TRAILING_MIN = 2 * DAY
"""Of a single day nobody could tell how much days differ."""
WINDOWS = tuple(n * HOUR for n in range(1, 25) if not DAY % (n * HOUR))
"""A day of them begins at midnight, as the same hours of last week do."""
WINDOWS_MAX = 8
"""Windows that persistence may look back over."""
INDICES: Mapping[str, float] = {
    "psi": math.inf,
    "ks": 1,
    "js": math.sqrt(math.log(2)),
    "wasserstein": math.inf,
    "hellinger": 1,
}
"""And the most that each can be."""
OF_NUMBERS = ("ks", "wasserstein")
"""Indices that need an order of what is counted; classes have none."""
IN_ITS_UNIT = "wasserstein"
"""An index whose smallest value that matters nobody can tell without knowing the metric."""
_PERSISTENCE = re.compile(r"\s*(\d{1,4})\s+of\s+(\d{1,4})\s*")
_PLAIN = DriftMonitor("", "", "")


def drift_monitor(parsed: DriftDocument, services: Collection[str], findings: Findings) -> DriftMonitor | None:
    """What is watched; None if it is wrong. ``services``: those that have a document."""
    spec, metadata, at = parsed.spec, parsed.metadata, findings.below("spec")
    extras = read_annotations(metadata.annotations, findings.below("metadata", "annotations"), ACTIONABLE)
    actionable(metadata.annotations, findings)
    documented(spec.service, services, findings)
    read: dict[str, Any] = {}
    for key, (name, reader) in _READERS.items():
        try:
            given = getattr(spec, name)
            read[name] = getattr(_PLAIN, name) if given is None else reader(given)
        except ValueError as error:
            at.refuse(error, key)
    for key, said in _contradictions(spec, _wrong_shape(findings)):
        at.error(said, key)
    if findings.failed:
        return None
    return DriftMonitor(
        name=metadata.name,
        service=spec.service,
        metric=spec.metric,
        values=spec.values,
        against=spec.against,
        baseline=spec.baseline,
        critical=tuple(spec.critical),
        retrain=spec.retrain,
        display_name=metadata.display_name,
        owner=extras.owner or "",
        runbook=extras.runbook or "",
        source=findings.place,
        **read,
    )


def _wrong_shape(findings: Findings) -> set[str]:
    """Keys whose values are no such thing, which is said already: what follows from their defaults is nobody's mistake."""
    return {str(hole[1]) for hole in findings.holes if hole[:1] == ("spec",) and len(hole) > 1}


# --- single fields


def _levels(given: list[str]) -> tuple[str, ...]:
    found = _named(given, _level, "level")
    return tuple(level for level in LEVELS if level in found)


def _level(name: str) -> None:
    if name not in LEVELS:
        raise ValueError(f"unknown level '{shown(name)}'{near(name, LEVELS)}")


def _segments(given: list[str]) -> tuple[str, ...]:
    if len(given) > BY_MAX:
        raise ValueError(f"{len(given)} segments; {BY_MAX} is the most")
    return _named(given, _segment, "segment")


def _named(given: list[str], check: Callable[[str], None], what: str) -> tuple[str, ...]:
    """The names, each checked and given once."""
    seen: set[str] = set()

    def read(name: str) -> tuple[str]:
        if name in seen:
            raise ValueError(f"{what} '{shown(name)}' is given twice")
        seen.add(name)
        check(name)
        return (name,)

    return each_of(given, read, range(len(given)))


def _segment(name: str) -> None:
    if name in DIMENSIONS:
        hint = f"; 'levels' has {', '.join(LEVELS)}" if name in LEVELS else ""
        raise ValueError(f"'{name}' is a dimension and not an attribute that tells segments apart{hint}")
    _attribute(name)


def _class_attribute(name: str) -> str:
    if name in DIMENSIONS:
        raise ValueError(f"'{name}' is a dimension and not an attribute that tells classes apart")
    if name:
        _attribute(name)
    return name


def _attribute(name: str) -> None:
    if not is_name(name) or name == VALUE:
        raise ValueError(f"'{shown(name)}' can't be an attribute's name")


def _trailing(text: str) -> timedelta:
    found = rolling(text)
    if found % DAY or found < TRAILING_MIN:
        raise ValueError(
            f"'{shown(text)}': a trailing baseline reaches back whole days, at least {format_duration(TRAILING_MIN)}"
        )
    return found


def _window(text: str) -> timedelta:
    found = span(text)
    if found not in WINDOWS:
        known = ", ".join(format_duration(window) for window in WINDOWS)
        raise ValueError(f"'{shown(text)}': what is compared at a time is whole hours that divide a day: {known}")
    return found


def _index(name: str) -> str:
    if name not in INDICES:
        raise ValueError(f"unknown index '{shown(name)}'{near(name, INDICES)}")
    return name


def _false_alarms(share: float) -> float:
    if not 0 < share < 1:
        raise ValueError(
            f"falseAlarms {share:g} is a probability, above 0 and below 1, such as {_PLAIN.false_alarms:g}"
        )
    return share


def _persistence(text: str) -> tuple[int, int]:
    found = _PERSISTENCE.fullmatch(text)
    if not found:
        raise ValueError(
            f"'{shown(text)}' is not like '{persistence_text(_PLAIN.persistence)}', windows in which it is found"
        )
    needed, windows = int(found[1]), int(found[2])
    wrong = [] if windows <= WINDOWS_MAX else [f"at most {WINDOWS_MAX} windows are looked back over"]
    if not 1 <= needed <= windows:
        wrong.append("it is found in at least one of them, and at most in all")
    if wrong:
        raise ValueError(f"'{shown(text)}': {'; '.join(wrong)}")
    return needed, windows


def persistence_text(found: tuple[int, int]) -> str:
    return f"{found[0]} of {found[1]}"


_READERS: Mapping[str, tuple[str, Callable[[Any], object]]] = {
    "classAttribute": ("class_attribute", _class_attribute),
    "levels": ("levels", _levels),
    "segments": ("segments", _segments),
    "trailing": ("trailing", _trailing),
    "window": ("window", _window),
    "index": ("index", _index),
    "minimum": ("minimum", float),
    "falseAlarms": ("false_alarms", _false_alarms),
    "persistence": ("persistence", _persistence),
}


# --- fields that don't go together


def _contradictions(spec: DriftSpec, wrong: Collection[str]) -> Iterator[tuple[str, str]]:
    """The key and what is wrong with it beside the others."""
    if spec.levels is not None and "levels" not in wrong and LEVELS[0] not in spec.levels:
        yield "levels", f"levels always hold '{LEVELS[0]}', what the others are parts of"
    if "values" not in wrong and "classAttribute" not in wrong:
        yield from _of_classes(spec)
    if "against" not in wrong and "baseline" not in wrong:
        yield from _of_baselines(spec)
    index = _PLAIN.index if spec.index is None else spec.index
    yield from _of_minimum(spec.minimum, index if index in INDICES and "index" not in wrong else "")


def _of_classes(spec: DriftSpec) -> Iterator[tuple[str, str]]:
    classes = spec.values is Values.CLASSES
    if classes and not spec.class_attribute:
        yield "values", "'values: classes' needs classAttribute, the attribute that tells classes apart"
    if not classes and spec.class_attribute:
        yield "classAttribute", "classAttribute goes with 'values: classes'; histograms have no classes"
    if classes and spec.class_attribute in spec.segments:
        yield "segments", f"'{shown(spec.class_attribute)}' tells classes apart and can't tell segments apart too"
    if classes and spec.index in OF_NUMBERS:
        rest = ", ".join(name for name in INDICES if name not in OF_NUMBERS)
        yield "index", f"index {spec.index} compares numbers, which have an order; of classes there are {rest}"


def _of_baselines(spec: DriftSpec) -> Iterator[tuple[str, str]]:
    pinned = spec.against is Against.PINNED
    if pinned and not spec.baseline:
        yield "against", "'against: pinned' needs baseline, the name of the pinned one"
    if not pinned and spec.baseline:
        yield "baseline", f"baseline names a pinned one and goes with 'against: pinned', not with '{spec.against}'"


def _of_minimum(value: float | None, index: str) -> Iterator[tuple[str, str]]:
    """``index``: empty if it is none."""
    if index == IN_ITS_UNIT and value is None:
        yield "index", f"index {index} is in the metric's own unit: say with minimum what matters"
    most = INDICES.get(index, math.inf)
    if value is not None and not (0 < value <= most and value < math.inf):
        ends = "" if most == math.inf else f" and at most {most:.3g}"
        yield "minimum", f"minimum {value:g}: {index or 'an index'} is a number above 0{ends}"


# --- as a document again


def written_monitor(found: DriftMonitor, about: About) -> dict[str, Any]:
    """All of it but what is empty; ``about``: what its document says beside."""
    owned = {PREFIX + key: text for key in ACTIONABLE if (text := getattr(found, key))}
    metadata = {
        "name": found.name,
        **written_about(About(found.display_name, about.labels, {**owned, **about.annotations})),
    }
    texts: dict[str, object] = {
        "values": str(found.values),
        "classAttribute": found.class_attribute,
        "levels": list(found.levels),
        "segments": list(found.segments),
        "against": str(found.against),
        "baseline": found.baseline,
        "trailing": format_duration(found.trailing),
        "window": format_duration(found.window),
        "index": found.index,
        "minimum": found.minimum,
        "falseAlarms": found.false_alarms,
        "persistence": persistence_text(found.persistence),
        "critical": list(found.critical),
        "retrain": found.retrain,
    }
    spec = {"service": found.service, "metric": found.metric, **{k: v for k, v in texts.items() if v not in ("", [])}}
    return {"apiVersion": OWN, "kind": "DriftMonitor", "metadata": metadata, "spec": spec}
