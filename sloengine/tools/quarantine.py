"""Quarantine: a gateway whose deliveries don't count, and the same taken back."""

from __future__ import annotations

from datetime import UTC, datetime

from sloengine.store.client import Store
from sloengine.times import parse_duration, utc
from sloengine.tools.outcome import nearest

EVER = datetime(2100, 1, 1, tzinfo=UTC)


def moment(text: str, now: datetime) -> datetime:
    """A time as a person gives it: ISO 8601 (UTC unless it says otherwise), or a duration ago.

    Raises:
        ValueError: neither.
    """
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        return utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise ValueError(f"'{text}' is neither a time such as 2026-11-24T10:00 nor a duration such as 2d") from None


def quarantine(
    store: Store,
    gateway: str,
    span: tuple[str, str | None],
    said: tuple[str, str],
    now: datetime,
    *,
    lift: bool,
) -> str:
    """Write it down; what was done, in words. ``span``: since and until as given; ``said``: reason and author.

    Raises:
        ValueError: a time can't be read, the end is not after the beginning, or there is nothing to lift.
    """
    since, until = moment(span[0], now), moment(span[1], now) if span[1] else EVER
    if until <= since:
        raise ValueError(f"--until {until.isoformat()} is not after --since {since.isoformat()}")
    held = [r for r in store.rows("quarantines") if r["GatewayId"] == gateway and not r["Lifted"]]
    if lift:
        touched = [r for r in held if utc(r["Since"]) < until and utc(r["Until"]) > since]
        if not touched:
            raise ValueError(f"gateway '{gateway}' is not in quarantine then: nothing to lift")
        rows = [[gateway, utc(r["Since"]), utc(r["Until"]), *said, True, _revision(now)] for r in touched]
    else:
        rows = [[gateway, since, until, *said, False, _revision(now)]]
    store.insert("quarantines", ["GatewayId", "Since", "Until", "Reason", "Author", "Lifted", "Revision"], rows)
    what = "counts again" if lift else "does not count"
    strange = "" if lift else _strange(store, gateway)
    end = "on" if until == EVER else f"until {until:%Y-%m-%d %H:%M}"
    return f"What gateway {gateway} delivered from {since:%Y-%m-%d %H:%M} {end} {what}, from the engine's next tick.{strange}"


def _strange(store: Store, gateway: str) -> str:
    """A mistyped name would leave the gateway that is meant in all figures, without a word."""
    known = [r["name"] for r in store.rows("known_gateways")]
    if gateway in known:
        return ""
    return f"\nBeware: no gateway was ever heard of under the name '{gateway}'{nearest(gateway, known)}"


def _revision(now: datetime) -> int:
    return int(now.timestamp() * 1000)
