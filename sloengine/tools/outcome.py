"""What a tool hands back to its command: text for a person, a JSON object for a machine, an exit code for a pipeline."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from math import isfinite
from typing import Any, NamedTuple

from sloengine.errors import SloengineError
from sloengine.model import Group, Slo
from sloengine.times import LONGEST, utc

LISTED = 10
"""Names in a message where none is near."""
OK, FOUND, WRONG_USE, UNDECIDED, UNAVAILABLE = 0, 1, 2, 3, 4


class Outcome(NamedTuple):
    text: str
    found: dict[str, Any]
    code: int = OK


class Refused(SloengineError):
    """What was asked for can't be answered: the user's mistake, told with what to do (exit 2)."""


def refusal(error: Refused) -> Outcome:
    return Outcome(str(error), {"error": str(error)}, WRONG_USE)


def find_slo(slos: Iterable[Slo], name: str) -> Slo:
    """
    Raises:
        Refused: there is none of this name; the message holds the nearest.
    """
    by_name = {slo.name: slo for slo in slos}
    if name in by_name:
        return by_name[name]
    raise Refused(f"no SLO is called '{name}'{nearest(name, by_name)}")


def nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean a or b?``, or what there is, or nothing."""
    listed = list(dict.fromkeys(known))
    near = difflib.get_close_matches(word, listed, n=2, cutoff=0.5)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    more = f" and {len(listed) - LISTED} more" if len(listed) > LISTED else ""
    return f"; there are {', '.join(sorted(listed)[:LISTED])}{more}" if listed else ""


def moment_of(text: str, now: datetime) -> datetime:
    """An ISO moment, UTC unless it says otherwise.

    Raises:
        Refused: it is none, it lies ahead, or so far back that no window ends there.
    """
    try:
        moment = utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise Refused(f"'{text}' is not a moment such as 2026-11-24T10:05 or 2026-11-24T10:05+01:00") from None
    if moment > now:
        raise Refused(f"{text} lies ahead: it is {now:%Y-%m-%d %H:%M} UTC")
    if now - moment > LONGEST:
        raise Refused(f"{text} is longer ago than anything that is kept")
    return moment


def group_of(text: str) -> Group:
    """``model=m,region=eu`` → pairs.

    Raises:
        Refused: not of that form.
    """
    pairs = [part.partition("=") for part in text.split(",") if part]
    if not pairs or any(not sign or not name.strip() for name, sign, _ in pairs):
        raise Refused(f"'{text}' is not a slice such as model=digits,region=eu")
    return tuple((name.strip(), value.strip()) for name, _, value in pairs)


def shown(group: Group | Mapping[str, str]) -> str:
    pairs = group.items() if isinstance(group, Mapping) else group
    return ", ".join(f"{name}={value or '(none)'}" for name, value in pairs) or "all"


def table(head: Sequence[str], rows: Iterable[Sequence[object]], indent: str = "  ") -> str:
    """Aligned columns; numbers to the right. Written by hand: a table library would wrap, and what is wrapped can't be pasted."""
    listed = [[_cell(value) for value in row] for row in rows]
    right = [all(_is_number(row[i]) for row in listed) and bool(listed) for i in range(len(head))]
    widths = [max(len(row[i]) for row in [list(head), *listed]) for i in range(len(head))]
    lines = []
    for row in [list(head), *listed]:
        cells = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)]
        lines.append((indent + "  ".join(cells)).rstrip())
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _is_number(text: str) -> bool:
    return text == "-" or text.lstrip("-").replace(",", "").replace(".", "", 1).rstrip("%x ").isdigit()


def number(value: float) -> str:
    """Whole numbers whole, others with six digits that count; never with an exponent."""
    if not isfinite(value):
        return str(value)
    whole = float(value).is_integer() or abs(value) >= 1e6
    return f"{value:,.0f}" if whole else f"{Decimal(f'{value:.6g}'):,f}"


def times(burn: float | None, *, none: bool = False) -> str:
    """A burn rate to three digits, ``14.42`` → ``14.4x``; where no bad event is tolerated, their number."""
    if burn is None:
        return "-"
    if none:
        return f"{number(burn)} bad"
    return f"{burn:,.0f}x" if abs(burn) >= 100 else f"{Decimal(f'{burn:.3g}'):f}x"


def told(state: str, reason: str, *, loud: bool = False) -> str:
    """A state with its reason, which may begin with the state: it is said once."""
    word, rest = state.upper() if loud else state, reason.removeprefix(f"{state} ")
    return f"{word} {rest}" if rest != reason else f"{word}: {reason}"


def percent(ratio: float | None, digits: int = 3) -> str:
    return "-" if ratio is None else f"{ratio:.{digits}%}".replace("%", " %")


def clock(moment: datetime | None) -> str:
    return "-" if moment is None else f"{utc(moment):%Y-%m-%d %H:%M}"
