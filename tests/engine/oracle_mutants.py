"""Ways to break the engine, each a change of the SQL that it runs: what an oracle doesn't notice, it doesn't prove."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NAMED = {"fold_sums", "fold_spans", "fold_requests", "fold_exponential", "fold_explicit", "fold_gauges", "fold_logs"}


@dataclass(frozen=True)
class Mutant:
    """In these statements ``old`` becomes ``new``; histories of these kinds must show it."""

    name: str
    statements: frozenset[str]
    old: str
    new: str
    kind: str
    late: bool = False
    """Shows only where the engine had looked before: not where it counts everything anew."""
    fixed: Mapping[str, object] = field(default_factory=dict)
    """What the histories' plans all say, where few would show it otherwise."""

    def apply(self, name: str, text: str) -> str:
        if name not in self.statements:
            return text
        assert self.old in text, f"{name}.sql has changed: say anew how to break it ({self.name})"
        return text.replace(self.old, self.new)


def _of(name: str, statement: str, old: str, new: str, kind: str, *, late: bool = False) -> Mutant:
    return Mutant(name, frozenset({statement}), old, new, kind, late)


MUTANTS = (
    _of(
        "a point delivered twice counts twice",
        "fold_sums",
        "GROUP BY StreamId, StartTimeUnix, TimeUnix, Shift",
        "GROUP BY StreamId, StartTimeUnix, TimeUnix, Shift, p.IngestTime",
        "sum",
    ),
    _of(
        "a span delivered twice counts twice",
        "fold_spans",
        "LIMIT 1 BY p.GatewayId, p.TraceId, p.SpanId",
        "LIMIT 1 BY p.GatewayId, p.TraceId, p.SpanId, p.IngestTime",
        "span",
    ),
    _of(
        "a reset is no reset",
        "fold_sums",
        "N > 1 AND V >= Previous, V - Previous, N > 1, if(Unordered, 0, V),",
        "N > 1, greatest(0, V - Previous),",
        "sum",
    ),
    _of(
        "a first point of an unknown past counts whole",
        "fold_sums",
        "Begun >= {from:DateTime('UTC')}, V, 0)",
        "true, V, 0)",
        "sum",
    ),
    _of(
        "an increase belongs to the earlier point's minute",
        "fold_sums",
        "Shift, toStartOfMinute(toDateTime(T, 'UTC')) AS Minute",
        "Shift, toStartOfMinute(toDateTime(if(N > 1, PreviousT, T), 'UTC')) AS Minute",
        "sum",
    ),
    # For the sake of coverage the next point is looked for too, an hour behind what is recomputed at once, which others' minutes
    # widen: only behind a longer silence is it found by this alone.
    Mutant(
        "what depends on a late point is not counted anew",
        frozenset({"next_sums"}),
        "GROUP BY GatewayId\n",
        "WHERE false\nGROUP BY GatewayId\n",
        "sum",
        late=True,
        fixed={"late": True, "gaps": True, "gap_share": 0.5, "gap_minutes": (130,), "again": False, "delta": False},
    ),
    _of(
        "what came late belongs to the minute in which it came",
        "touched_minutes",
        "toStartOfMinute(toDateTime(TimeUnix",
        "toStartOfMinute(toDateTime(IngestTime",
        "sum",
        late=True,
    ),
    _of(
        "a retry is a request",
        "fold_requests",
        "if(Request = '', concat(TraceId, SpanId), Request)",
        "concat(TraceId, SpanId)",
        "span",
    ),
    _of(
        "a sampled span counts as one",
        "fold_spans",
        "p.AdjustedCount AS Weight",
        "p.AdjustedCount * 0 + 1 AS Weight",
        "span",
    ),
    _of(
        "an unknown weight is one",
        "fold_spans",
        "p.AdjustedCount AS Weight",
        "ifNull(p.AdjustedCount, 1) AS Weight",
        "span",
    ),
    Mutant("a clock that is off is left alone", frozenset(NAMED), ".3 AS Moved", ".3 * 0 AS Moved", "sum"),
    Mutant(
        "a gateway in quarantine counts",
        frozenset(NAMED - {"fold_spans"}),
        "NOT arrayExists(q -> q.1",
        "NOT arrayExists(q -> false AND q.1",
        "sum",
    ),
    _of(
        "coarser buckets are off by one",
        "fold_exponential",
        "s * 4294967296 + bitShiftRight(i, toUInt8(Scale - S))",
        "s * 4294967296 + bitShiftRight(i + 1, toUInt8(Scale - S))",
        "exponential",
    ),
    _of(
        "a change of scale within a minute is passed over",
        "fold_exponential",
        "NOT Bridges AND Scale = lagInFrame(Scale, 1) OVER w AND",
        "NOT Bridges AND",
        "exponential",
    ),
    _of(
        "a reset within a minute is passed over",
        "fold_exponential",
        "Subtract AND NOT Bridges AND",
        "N > 1 AND",
        "exponential",
    ),
    _of("buckets are not subtracted", "fold_explicit", "- if(Subtract,", "- if(false,", "explicit"),
    _of("a gauge holds for as long as it is silent", "fold_gauges", "least(300, Gap)", "Gap", "gauge"),
    _of(
        "the first label holds",
        "predictions_fold",
        "max(tuple(At, Came, Truth, Source))",
        "min(tuple(At, Came, Truth, Source))",
        "prediction",
    ),
    _of(
        "a prediction that came by two gateways is two",
        "predictions_fold",
        "WHERE NOT arrayExists(c -> c <",
        "WHERE NOT arrayExists(c -> false AND c <",
        "prediction",
    ),
    _of(
        "an hour's minutes are put together once",
        "fold_hour_minutes",
        "HAVING Now != Was",
        "HAVING Now != Was AND Was = 0",
        "sum",
        late=True,
    ),
    _of(
        "hours are folded once", "fold_hours", "HAVING Now != Was", "HAVING Now != Was AND Was.3 = 0", "sum", late=True
    ),
)
