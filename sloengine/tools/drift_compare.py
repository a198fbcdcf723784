"""Drift compare: two histograms in files, without a store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sloengine.evaluate.drift.histogram import Buckets, Histogram, Unusable, categories, explicit, exponential
from sloengine.evaluate.drift.verdict import Compared, Rule, Verdict, compare, nothing
from sloengine.tools.outcome import FOUND, WRONG_USE, Outcome, number, table

BYTES_MAX = 16 * 2**20
SHAPES = (
    '{"bounds": […], "counts": […]}, {"scale": …, "positive": {"offset": …, "counts": […]}, …} or {"categories": {…}}'
)
TITLES = {
    "psi": "PSI",
    "ks": "Kolmogorov-Smirnov",
    "js": "Jensen-Shannon",
    "wasserstein": "Wasserstein",
    "hellinger": "Hellinger",
    "chi2": "chi-squared",
}


def run_compare(baseline: Path, current: Path, rule: Rule) -> Outcome:
    """Compare the histograms of two JSON files; exit code 1 on drift alone, 2 where they can't be compared."""
    try:
        found = compare(read_histogram(baseline), read_histogram(current), rule)
    except Unusable as error:
        return _outcome(nothing((0.0, 0.0), Verdict.REFUSED, str(error)), rule)
    return _outcome(found, rule)


def read_histogram(path: Path) -> Histogram:
    """A histogram from a JSON file; raises Unusable with the file and the field."""
    data = read_json(path)
    try:
        return histogram_of(data)
    except Unusable as error:
        raise Unusable(f"{path}: {error}") from None


def read_json(path: Path) -> object:
    """What a file holds; raises Unusable with the file and the line."""
    try:
        if path.stat().st_size > BYTES_MAX:
            raise Unusable(f"{path}: larger than {BYTES_MAX >> 20} MiB, which no histogram needs")
        data: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"{path}: can't be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}") from None
    except (json.JSONDecodeError, RecursionError) as error:
        place = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else "nested too deeply"
        raise Unusable(f"{path}: not JSON: {place}") from None
    return data


def histogram_of(data: object) -> Histogram:
    """A histogram from its JSON; raises Unusable with the field that is wrong."""
    if not isinstance(data, Mapping):
        raise Unusable(f"expected one object, {SHAPES}")
    kinds = [kind for kind in ("bounds", "scale", "categories") if kind in data]
    if len(kinds) != 1:
        said = f"it has {' and '.join(kinds)}" if kinds else "it has none of bounds, scale and categories"
        raise Unusable(f"expected {SHAPES}; {said}")
    match kinds[0]:
        case "bounds":
            _known(data, ("bounds", "counts"))
            return explicit(_numbers(data, "bounds"), _numbers(data, "counts"))
        case "scale":
            _known(data, ("scale", "zero_count", "zero_threshold", "positive", "negative"))
            sides = {side: _side(data[side], side) for side in ("positive", "negative") if data.get(side) is not None}
            return exponential(
                _whole(data["scale"], "scale"),
                _number(data.get("zero_count", 0), "zero_count"),
                _number(data.get("zero_threshold", 0), "zero_threshold"),
                sides.get("positive"),
                sides.get("negative"),
            )
        case _:
            _known(data, ("categories",))
            counts = data["categories"]
            if not isinstance(counts, Mapping):
                raise Unusable("categories must be an object of counts by category")
            return categories({name: _number(count, f"categories[{name!r}]") for name, count in counts.items()})


def _known(data: Mapping[str, Any], names: tuple[str, ...]) -> None:
    strange = [name for name in data if name not in names]
    if strange:
        raise Unusable(f"{strange[0]!r} is no field of such a histogram; it has {', '.join(names)}")


def _side(data: object, name: str) -> Buckets:
    if not isinstance(data, Mapping):
        raise Unusable(f'{name} must be {{"offset": …, "counts": […]}}')
    _known(data, ("offset", "counts"))
    return Buckets(_whole(data.get("offset", 0), f"{name}.offset"), tuple(_numbers(data, "counts", f"{name}.counts")))


def _numbers(data: Mapping[str, Any], name: str, shown: str = "") -> list[float]:
    listed = data.get(name)
    if not isinstance(listed, list):
        raise Unusable(f"{shown or name} must be a list of numbers")
    return [_number(value, f"{shown or name}[{place}]") for place, value in enumerate(listed)]


def _number(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unusable(f"{name} is {json.dumps(value)[:40]}; it must be a number")
    try:
        return float(value)
    except OverflowError:
        raise Unusable(f"{name} is larger than any double") from None


def _whole(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unusable(f"{name} is {json.dumps(value)[:40]}; it must be a whole number")
    return value


# --- what comes out


def _outcome(found: Compared, rule: Rule) -> Outcome:
    code = {Verdict.DRIFT: FOUND, Verdict.REFUSED: WRONG_USE}.get(found.verdict, 0)
    return Outcome(_text(found), _plain(found, rule), code)


def _plain(found: Compared, rule: Rule) -> dict[str, Any]:
    smallest = {"index": "psi", "value": found.smallest_psi, "alpha": rule.alpha, "power": rule.power}
    outside = found.outside or {}
    return {
        "n": {"baseline": found.n[0], "current": found.n[1]},
        "bins": found.bins,
        "indices": {
            name: None if reading is None else {"value": reading.value, "p": reading.p}
            for name, reading in found.readings.items()
        },
        "resolution_error": {"ks": found.ks_error},
        "smallest_detectable": smallest,
        "outside": {name: {"baseline": a, "current": b} for name, (a, b) in outside.items()},
        "minimum_effect": {"index": "psi", "value": rule.psi},
        "verdict": found.verdict.value,
        "reason": found.reason,
        "note": found.note,
    }


def _text(found: Compared) -> str:
    lines = [f"{found.verdict.value.upper().replace('_', ' ')}: {found.reason}"]
    if found.verdict is Verdict.REFUSED:
        return lines[0]
    lines.append(f"  {number(found.n[0])} events in the baseline, {number(found.n[1])} now, {found.bins} bins")
    lines += [f"  {found.note}"] if found.note else []
    held = [(TITLES[name], f"{r.value:.6g}", f"{r.p:.3g}") for name, r in found.readings.items() if r]
    lines += [table(("index", "value", "p"), held)] if held else []
    if found.ks_error is not None:
        lines.append(
            f"  of the values themselves KS may be up to {found.ks_error:.3g} more: bins hide what moves inside them"
        )
    if found.smallest_psi is not None:
        lines.append(f"  so many events would have shown a PSI of {found.smallest_psi:.3g}")
    for name, (base, now) in (found.outside or {}).items():
        lines.append(f"  {name} all bounds: {base:.2%} in the baseline, {now:.2%} now")
    return "\n".join(lines)
