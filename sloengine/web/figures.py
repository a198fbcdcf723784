"""Figures and names as people read them. Pure; a figure is never rounded to the pleasant side."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from math import ceil, isfinite, log10

NONE = "–"
"""What stands where there is no figure: missing is not zero."""

_DIGITS_MAX = 8
# A name may not turn the text around it: embeddings, overrides, isolates and marks of direction.
_DIRECTION = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C], "\ufffd")


def ratio(value: float | None, *, flawless: bool) -> str:
    """``0.99954`` → ``"99.954 %"``: enough digits to see the distance from 0 and 100 %, the rest cut off, not rounded.

    Only with ``flawless`` (no bad event at all) may it say 100 %.
    """
    if value is None or not isfinite(value):
        return NONE
    percent = Decimal(repr(round(value, 14))) * 100
    if percent >= 100:
        return "100 %" if flawless else "< 100 %"
    edge = float(min(abs(percent), 100 - percent))
    digits = 2 if edge <= 0 else min(_DIGITS_MAX, max(2, ceil(-log10(edge)) + 1))
    floored = percent.quantize(Decimal(1).scaleb(-digits), ROUND_FLOOR)
    return f"{floored.normalize():f} %"


def span(low: float, high: float) -> str:
    """``"97.5 % to 99.13 %"``: an interval with as many digits as its width deserves, each end rounded outwards."""
    width = max(high - low, 1e-10)
    digits = min(_DIGITS_MAX, max(2, ceil(-log10(width * 100)) + 1))
    step = Decimal(1).scaleb(-digits)
    ends = ((low, ROUND_FLOOR), (high, ROUND_CEILING))
    found = [(Decimal(repr(round(value, 14))) * 100).quantize(step, way) for value, way in ends]
    return " to ".join(f"{end.normalize():f} %" for end in found)


def exact_percent(value: float) -> str:
    """A declared ratio as it was declared: ``0.9995`` → ``"99.95 %"``."""
    return f"{(Decimal(repr(round(value, 14))) * 100).normalize():f} %"


def budget(value: float | None, *, flawless: bool) -> str:
    """Share of the budget that is left, to the tenth below: ``-2.402`` → ``"−240.3 %"``."""
    if value is None or not isfinite(value):
        return NONE
    percent = Decimal(repr(round(value, 12))) * 100
    if percent >= 100 and not flawless:
        return "< 100 %"
    if 0 < percent < Decimal("0.1"):
        return "< 0.1 %"
    floored = percent.quantize(Decimal("0.1"), ROUND_FLOOR)
    whole = floored == int(floored)
    return f"{int(floored):,d} %".replace("-", "−") if whole else f"{floored:,f} %".replace("-", "−")


def multiple(value: float | None) -> str:
    """A burn rate: ``14.42`` → ``"14.4×"``."""
    if value is None or not isfinite(value):
        return NONE
    return f"{value:,.0f}×" if abs(value) >= 100 else f"{value:.1f}×" if value == 0 or value >= 0.05 else "< 0.1×"


def count(value: float, *, sampled: bool = False) -> str:
    """``1204881`` → ``"1,204,881"``; an estimate from samples is rounded and says so: ``1204.6`` → ``"≈1,205"``.

    So does any other number that isn't whole. Less than one event is still more than none: ``0.2`` → ``"< 1"``.
    """
    if not isfinite(value):
        return NONE
    whole = round(value)
    if value and not whole:
        return "< 1"
    return f"≈{whole:,d}" if sampled or whole != value else f"{whole:,d}"


def seconds(value: float) -> str:
    """A latency to three digits: ``0.01234`` → ``"12.3 ms"``."""
    if not isfinite(value):
        return NONE
    number, unit = (
        (value, "s") if value >= 1 else (value * 1e3, "ms") if value >= 1e-3 or value == 0 else (value * 1e6, "µs")
    )
    digits = 0 if number >= 100 or number == 0 else 1 if number >= 10 else 2
    return f"{number:,.{digits}f} {unit}"


def age(span: timedelta | float | None) -> str:
    """The two largest units: ``3_725`` s → ``"1h 2m"``; a span below zero (clocks differ) is none at all."""
    if span is None:
        return NONE
    rest = int(max(0.0, span.total_seconds() if isinstance(span, timedelta) else span))
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number}{unit}")
    return " ".join(parts[:2]) or "0s"


def signed_seconds(value: float | None) -> str:
    """How far a clock is off: ``-3.21`` → ``"−3.2 s"``."""
    if value is None or not isfinite(value):
        return NONE
    if abs(value) >= 60:
        return ("−" if value < 0 else "+") + age(abs(value))
    return f"{value:+.1f} s".replace("-", "−")


def moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def cut(text: str, limit: int = 64) -> str:
    """At most ``limit`` characters on one line, none of them controls; ``…`` says that something is missing."""
    plain = "".join(_visible(c) for c in text[: limit * 4].translate(_DIRECTION))
    if len(plain) <= limit and len(text) <= limit * 4:
        return plain
    kept = plain[: limit - 1]
    # Half an emoji sequence or a letter without its marks would be another name.
    while kept and (kept[-1] == "\u200d" or unicodedata.combining(kept[-1])):
        kept = kept[:-1]
    return f"{kept}…"


def _visible(character: str) -> str:
    return "\ufffd" if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") else character
