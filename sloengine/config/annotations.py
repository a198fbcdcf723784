"""What OpenSLO has no place for, as annotations ``sloengine.dev/…``; ``docs/slo.md`` is the table for users."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches

from sloengine.config.findings import Findings, near
from sloengine.config.matchers import VALUE, each_of, is_name, read_matchers, shown, written
from sloengine.config.windows import instant
from sloengine.model import DIMENSIONS, DatedTarget, Matcher, Quantifier, Slo, Unknown, Weighting

Reader = Callable[[str], dict[str, object]]
PREFIX = "sloengine.dev/"
ANNOTATIONS = {
    "owner": "the team that can act",
    "runbook": "where it says what to do",
    "by": "dimensions or attributes whose combinations each get a budget of their own, such as 'model, region'",
    "where": 'narrows what is counted, such as \'region="eu", k8s.cluster.name=~"prod-.*"\'',
    "unknown": "what unknown events count as: ignore, good or bad",
    "weighting": "whose ratio counts the same: events, nodes or sites",
    "quantifier": "a promise over nodes: '95% of nodes meet 99%', or 'worst 1% of nodes'",
    "zero-tolerance": "true: one bad event is too many, the target is 1",
    "reserve": "share of the budget set aside for rollouts, such as 20%",
    "slices-max": "how many combinations of 'by' are kept apart; the rest is folded into 'other'",
    "target-history": "earlier targets and since when, the present one last: '2026-01-01: 99.5%, 2026-06-01: 99.9%'",
    "unit": "unit of the objective's value, such as ms; it is turned into the metric's own (seconds, bytes, ratio)",
    "was": "the name this SLO had before; its history is that one's too",
}
UNITS = {
    **{"ns": "0.000000001", "us": "0.000001", "ms": "0.001", "s": "1", "min": "60", "h": "3600", "d": "86400"},
    **{
        "By": "1",
        "kB": "1000",
        "MB": "1000000",
        "GB": "1000000000",
        "KiB": "1024",
        "MiB": "1048576",
        "GiB": "1073741824",
    },
    **{"1": "1", "%": "0.01"},
}
ACTIONABLE = ("owner", "runbook")
"""What whoever is alerted needs."""
SLICES_MAX = 100_000
BY_MAX = 8
_RATIO = re.compile(r"\s*(\d{1,12}(?:\.\d{1,40})?)\s*(%?)\s*")
_MEET = re.compile(r"(?P<share>[\d.]+\s*%)\s+of\s+nodes\s+meet\s+(?P<target>[\d.]+\s*%)")
_WORST = re.compile(r"worst\s+(?P<share>[\d.]+\s*%)\s+of\s+nodes(?:\s+meet\s+(?P<target>[\d.]+\s*%))?")
_DATED = re.compile(r"(\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)?)?)\s*:\s*([\d.]+\s*%?)")


@dataclass(frozen=True, slots=True)
class Extras:
    """An SLO's annotations, read."""

    owner: str | None = None
    runbook: str | None = None
    by: tuple[str, ...] = ()
    where: tuple[Matcher, ...] = ()
    unknown: Unknown = Unknown.IGNORE
    weighting: Weighting = Weighting.EVENTS
    share: float | None = None
    share_target: float | None = None
    worst: bool = False
    zero_tolerance: bool | None = None
    reserve: float = 0.0
    slices_max: int = 1000
    history: tuple[DatedTarget, ...] = ()
    unit: Decimal = field(default=Decimal(1))
    was: str = ""

    def quantifier(self, target: float) -> Quantifier | None:
        if self.share is None:
            return None
        return Quantifier(self.share, target if self.share_target is None else self.share_target, self.worst)


def ratio(text: str) -> float:
    """``"99.9%"`` or ``"0.999"`` → 0.999, the number that a person would write; 99.9 / 100 is 0.9990000000000001.

    Raises:
        ValueError: neither.
    """
    found = _RATIO.fullmatch(text)
    if not found:
        raise ValueError(f"'{shown(text)}' is not a share such as 20% or 0.2")
    number = float(Decimal(found[1]) / (100 if found[2] else 1))
    if not 0 <= number <= 1:
        raise ValueError(f"'{shown(text)}' is not between 0 and 100%")
    return number


def percent(number: float) -> str:
    """The ratio as a percentage that reads back as itself."""
    return f"{(Decimal(repr(number)) * 100).normalize():f}%"


def read_annotations(
    annotations: Mapping[str, str], findings: Findings, ours: Collection[str] = tuple(ANNOTATIONS)
) -> Extras:
    """What the annotations mean; ``findings`` stands at the annotations. Foreign ones are named as not acted on.

    ``ours``: those that a document of its kind may have.
    """
    values: dict[str, object] = {}
    for key, text in annotations.items():
        if not key.startswith(PREFIX):
            findings.warn(f"annotation '{shown(key)}' is not acted on", key)
            continue
        name = key.removeprefix(PREFIX)
        if name not in ours:
            known = [PREFIX + n for n in ours]
            findings.error(f"unknown annotation '{shown(key)}'{near(key, known)}", key)
            continue
        try:
            values.update(_READERS[name](text))
        except ValueError as error:
            findings.refuse(error, key)
    return Extras(**values)  # type: ignore[arg-type]


def actionable(given: Collection[str], findings: Findings) -> None:
    """Says which of owner and runbook are not among the annotations that are given; ``findings`` stands at the document."""
    for key in ACTIONABLE:
        if PREFIX + key not in given:
            findings.warn(f"no {PREFIX}{key}: an alert nobody can act on is a defect", "metadata")


def _word(name: str) -> Reader:
    def read(text: str) -> dict[str, object]:
        if not text.strip() or len(text) > 500 or not text.isprintable():
            raise ValueError(f"{name} is one line of text, not longer than 500 characters")
        return {name: text.strip()}

    return read


def read_by(text: str) -> dict[str, object]:
    """
    Raises:
        ValueError: names that are no dimensions and can't be attributes.
    """
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    each_of(names[: BY_MAX * 2], _dimension)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"dimension '{twice[0]}' is given twice")
    if len(names) > BY_MAX:
        raise ValueError(f"'by' names {len(names)} dimensions; {BY_MAX} is the most")
    return {"by": names}


def _dimension(name: str) -> tuple[str]:
    if name in DIMENSIONS:
        return (name,)
    if not is_name(name) or name == VALUE:
        raise ValueError(f"'{shown(name)}' is no dimension ({', '.join(DIMENSIONS)}) and no attribute's name")
    # A dimension with a slip of the pen would be one slice without a name; other words may be Prometheus' labels.
    meant = [] if "." in name or "_" in name else get_close_matches(name, DIMENSIONS, n=1, cutoff=0.75)
    if meant:
        raise ValueError(f"unknown dimension '{name}'; did you mean '{meant[0]}'?")
    return (name,)


def _where(text: str) -> dict[str, object]:
    found = read_matchers(text)
    if any(m.name == VALUE for m in found):
        raise ValueError("'value' can't be compared here: it belongs to one metric's where, or to the objective")
    return {"where": found}


def _choice(name: str, kind: type[Unknown] | type[Weighting]) -> Reader:
    def read(text: str) -> dict[str, object]:
        known = [str(word) for word in kind]
        if text.strip() not in known:
            raise ValueError(f"{name}: '{shown(text)}' is none of {', '.join(known)}")
        return {name: kind(text.strip())}

    return read


def _quantifier(text: str) -> dict[str, object]:
    found = _MEET.fullmatch(text.strip()) or _WORST.fullmatch(text.strip())
    if not found:
        raise ValueError(f"'{shown(text)}' is not like '95% of nodes meet 99%' or 'worst 1% of nodes'")
    share, target = ratio(found["share"]), ratio(found["target"]) if found["target"] else None
    if not 0 < share <= 1 or (target is not None and not 0 < target < 1):
        raise ValueError(f"'{shown(text)}': shares and targets lie above 0, targets below 100%")
    return {"share": share, "share_target": target, "worst": text.strip().startswith("worst")}


def _zero_tolerance(text: str) -> dict[str, object]:
    if text.strip() not in ("true", "false"):
        raise ValueError(f"zero-tolerance is true or false, not '{shown(text)}'")
    return {"zero_tolerance": text.strip() == "true"}


def _reserve(text: str) -> dict[str, object]:
    share = ratio(text)
    if share >= 1:
        raise ValueError("a reserve of the whole budget leaves nothing to measure")
    return {"reserve": share}


def _slices_max(text: str) -> dict[str, object]:
    if not re.fullmatch(r"\d{1,6}", text.strip()) or not 1 <= int(text) <= SLICES_MAX:
        raise ValueError(f"slices-max '{shown(text)}' is not a whole number from 1 to {SLICES_MAX}")
    return {"slices_max": int(text)}


def _history(text: str) -> dict[str, object]:
    targets: list[DatedTarget] = []
    for part in text.split(","):
        found = _DATED.fullmatch(part.strip())
        if not found:
            raise ValueError(f"'{shown(part.strip())}' is not like '2026-01-01: 99.5%'")
        since, target = instant(found[1], "UTC"), ratio(found[2])
        if not 0 < target < 1:
            raise ValueError(f"target {found[2]} must lie between 0 and 1")
        if targets and since <= targets[-1].since:
            raise ValueError("target-history goes from the oldest to the present one")
        targets.append(DatedTarget(since, target))
    return {"history": tuple(targets)}


def _unit(text: str) -> dict[str, object]:
    if text.strip() not in UNITS:
        raise ValueError(f"unknown unit '{shown(text)}'; known: {', '.join(UNITS)}")
    return {"unit": Decimal(UNITS[text.strip()])}


_READERS: Mapping[str, Reader] = {
    "owner": _word("owner"), "runbook": _word("runbook"), "was": _word("was"), "by": read_by, "where": _where,
    "unknown": _choice("unknown", Unknown), "weighting": _choice("weighting", Weighting), "quantifier": _quantifier,
    "zero-tolerance": _zero_tolerance, "reserve": _reserve, "slices-max": _slices_max, "target-history": _history,
    "unit": _unit,
}  # fmt: skip


def scaled(value: float, unit: Decimal) -> float:
    """A value in the metric's own unit: 100 ms → 0.1, exactly what a person would write.

    Raises:
        ValueError: not a finite number.
    """
    try:
        number = Decimal(repr(value)) * unit
    except InvalidOperation:
        raise ValueError(f"value {value} is not a number") from None
    if not number.is_finite():
        raise ValueError(f"value {value} is not a finite number")
    return float(number)


def of_slo(slo: Slo, whole: bool = True) -> dict[str, str]:
    """The annotations that say of an SLO what its OpenSLO document can't; they read back as the same.

    With ``whole`` a quantifier's target is left out where it is the objective's own.
    """
    plain = Slo.__dataclass_fields__
    found = {
        "owner": slo.owner or "",
        "runbook": slo.runbook or "",
        "by": ", ".join(slo.by),
        "where": ", ".join(written(m) for m in slo.where),
        "unknown": "" if slo.unknown is Unknown.IGNORE else str(slo.unknown),
        "weighting": "" if slo.weighting is Weighting.EVENTS else str(slo.weighting),
        "quantifier": _quantifier_text(slo.quantifier, slo.target if whole else None),
        "zero-tolerance": "true" if slo.zero_tolerance else "",
        "reserve": percent(slo.reserve) if slo.reserve else "",
        "slices-max": "" if slo.slices_max == plain["slices_max"].default else str(slo.slices_max),
        "target-history": ", ".join(f"{_moment(t.since)}: {percent(t.target)}" for t in slo.targets),
        "was": slo.was,
    }
    return {PREFIX + key: text for key, text in found.items() if text}


def _quantifier_text(found: Quantifier | None, own: float | None) -> str:
    if found is None:
        return ""
    if found.worst and found.target == own:
        return f"worst {percent(found.share)} of nodes"
    words = f"{percent(found.share)} of nodes meet {percent(found.target)}"
    return f"worst {words}" if found.worst else words


def _moment(moment: datetime) -> str:
    text = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return text.removesuffix("T00:00:00Z")
