"""Which minutes to recompute: from the minutes that were touched to a few bounded pieces. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
MAX_PIECE = timedelta(days=1)
"""One piece never spans more: a day of one gateway is deduplicated in bounded memory."""
MAX_HOLE = timedelta(minutes=10)
"""Reading an untouched hole this short is cheaper than another statement."""
MAX_BATCH = 2 * MAX_PIECE
"""Gateway-time that one statement recomputes, all its gateways together, however much came in then: it is deduplicated in
bounded memory."""
MAX_DAYS = 7
"""Days that one statement writes into: each is a partition."""
MAX_ITEMS = 2_000_000
"""Raw rows that one statement may recompute beyond that: a small fleet's month should not take a thousand statements."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Minutes ``[lo, hi)`` of one gateway."""

    gateway: str
    lo: datetime
    hi: datetime


@dataclass(frozen=True, slots=True)
class Batch:
    """Minutes ``[lo, hi)`` of several gateways, recomputed by one statement."""

    gateways: tuple[str, ...]
    lo: datetime
    hi: datetime


def pieces(touched: Iterable[tuple[str, datetime]]) -> list[Piece]:
    """Cover the touched (gateway, minute) pairs with pieces: near minutes join, no piece crosses midnight or exceeds a day.

    Every touched minute lies in exactly one piece; the order is by gateway, then time.
    """
    by_gateway: dict[str, set[datetime]] = {}
    for gateway, minute in touched:
        by_gateway.setdefault(gateway, set()).add(minute)
    return [piece for gateway in sorted(by_gateway) for piece in _cover(gateway, sorted(by_gateway[gateway]))]


def _cover(gateway: str, minutes: Sequence[datetime]) -> list[Piece]:
    out: list[Piece] = []
    for minute in minutes:
        last = out[-1] if out else None
        if last is None or minute - last.hi > MAX_HOLE:
            out.append(Piece(gateway, minute, minute + MINUTE))
        elif minute.date() == last.lo.date():
            out[-1] = Piece(gateway, last.lo, minute + MINUTE)
        else:
            # Meet at midnight: adjacent pieces are one run, and a run asks once what depends on it.
            midnight = minute.replace(hour=0, minute=0)
            out[-1] = Piece(gateway, last.lo, midnight)
            out.append(Piece(gateway, midnight, minute + MINUTE))
    return out


def room_of(items: int, minutes: int) -> timedelta:
    """Gateway-time of one batch, where so many raw rows were spread over so many gateway-minutes."""
    return max(MAX_BATCH, MINUTE * (MAX_ITEMS * minutes // items)) if items else MAX_BATCH


def batches(plan: Iterable[Piece], room: timedelta = MAX_BATCH) -> list[Batch]:
    """Pieces of different gateways joined where they nearly coincide: live traffic of a hundred gateways is one statement.

    Each piece lies whole in one batch. A batch may reach up to ``MAX_HOLE`` beyond a piece, on the same day: recomputing a minute
    that was not touched changes nothing.
    """
    out: list[list[Piece]] = []
    for piece in sorted(plan, key=lambda p: (p.lo, p.hi, p.gateway)):
        home = next((held for held in reversed(out[-8:]) if _fits(piece, held, room)), None)
        if home is None:
            out.append([piece])
        else:
            home.append(piece)
    return [
        Batch(tuple(sorted({p.gateway for p in held})), min(p.lo for p in held), max(p.hi for p in held))
        for held in out
    ]


def _fits(piece: Piece, held: Sequence[Piece], room: timedelta) -> bool:
    first = held[0]
    near = abs(piece.lo - first.lo) <= MAX_HOLE and abs(piece.hi - first.hi) <= MAX_HOLE
    length = max(piece.hi, first.hi + MAX_HOLE) - first.lo
    return near and piece.lo.date() == first.lo.date() and length * (len(held) + 1) <= room + 2 * MAX_HOLE


def joined(found: Iterable[Batch], room: timedelta) -> list[Batch]:
    """Batches of the same gateways that meet at midnight, as one where they fit into ``room``: a statement costs a tenth of a
    second however little it reads, and a small fleet's month is a few of them then.

    Only where rows are few: ``room`` is then more than ``MAX_BATCH``.
    """
    out: list[Batch] = []
    for batch in sorted(found, key=lambda b: (b.gateways, b.lo)):
        last = out[-1] if out else None
        whole = Batch(batch.gateways, last.lo, batch.hi) if last else batch
        meets = last is not None and last.gateways == batch.gateways and last.hi == batch.lo
        if meets and _few(whole, room):
            out[-1] = whole
        else:
            out.append(batch)
    return sorted(out, key=lambda b: (b.lo, b.hi, b.gateways))


def _few(batch: Batch, room: timedelta) -> bool:
    length = batch.hi - batch.lo
    return room > MAX_BATCH and length <= MAX_DAYS * MAX_PIECE and length * len(batch.gateways) <= room


def runs(plan: Iterable[Piece]) -> list[Piece]:
    """Adjacent pieces of a gateway joined, without bound: what lies between them is recomputed anyway."""
    out: list[Piece] = []
    for piece in plan:
        last = out[-1] if out else None
        if last and last.gateway == piece.gateway and last.hi == piece.lo:
            out[-1] = Piece(piece.gateway, last.lo, piece.hi)
        else:
            out.append(piece)
    return out


def days(lo: datetime, hi: datetime) -> list[tuple[datetime, datetime]]:
    """``[lo, hi)`` cut at midnights."""
    out = []
    while lo < hi:
        midnight = lo.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        out.append((lo, min(midnight, hi)))
        lo = midnight
    return out


def stretches(lo: datetime, hi: datetime, rows: int) -> list[tuple[datetime, datetime]]:
    """``[lo, hi)`` cut at midnights, as many days at a time as hold half a million rows at ``rows`` a minute, seven at most."""
    cut = days(lo, hi)
    most = max(1, min(MAX_DAYS, MAX_ITEMS // 4 // (24 * 60 * max(1, rows))))
    return [(cut[n][0], cut[min(n + most, len(cut)) - 1][1]) for n in range(0, len(cut), most)]


def floor_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def floor_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def hours_of(plan: Iterable[Piece | Batch]) -> set[datetime]:
    """Every hour in which a piece or batch has a minute."""
    found: set[datetime] = set()
    for piece in plan:
        hour = floor_hour(piece.lo)
        while hour < piece.hi:
            found.add(hour)
            hour += HOUR
    return found
