"""Bodies of Alertmanager's API v2: read into our values, written from them. What is wrong with one is said by its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sloengine.alert.given import Given
from sloengine.alert.matchers import matches
from sloengine.alert.muting import AlertNow, Mute, MuteKind
from sloengine.alert.silences import Silence, faults_of, state_of
from sloengine.config.label_matchers import label_matcher
from sloengine.model import Matcher
from sloengine.times import utc

RESOLVE_TIMEOUT = timedelta(minutes=5)
"""How long an alert fires that came without an end and is not raised again; Alertmanager's default."""
ALERTS_MAX, LABELS_MAX, NAME_MAX, VALUE_MAX, TEXT_MAX = 20_000, 64, 128, 1024, 16_384
OPS = {(True, False): "=", (False, False): "!=", (True, True): "=~", (False, True): "!~"}
"""By whether the value is to be equal and whether it is an expression."""
NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class BadBodyError(ValueError):
    """What can't be taken, in words for whoever sent it."""


def read_alerts(body: Any, now: datetime) -> tuple[list[Given], list[str]]:
    """Those that can be taken, and what is wrong with the others: one bad alert costs no other one.

    Raises:
        BadBodyError: nothing of it can be taken.
    """
    if not isinstance(body, list):
        raise BadBodyError("expected an array of alerts")
    if len(body) > ALERTS_MAX:
        raise BadBodyError(f"{len(body)} alerts at once; at most {ALERTS_MAX}")
    found, wrong = [], []
    for at, item in enumerate(body):
        try:
            found.append(_alert(item, now))
        except BadBodyError as error:
            wrong.append(f"alert {at}: {error}")
    return found, wrong


def _alert(item: Any, now: datetime) -> Given:
    if not isinstance(item, dict):
        raise BadBodyError("expected an object")
    labels = _texts(item, "labels", VALUE_MAX)
    if not labels:
        raise BadBodyError("labels: at least one that is not empty is needed")
    annotations = _texts(item, "annotations", TEXT_MAX)
    if url := item.get("generatorURL"):
        annotations.setdefault("console", str(url)[:TEXT_MAX])
    begins, ends = _time(item, "startsAt"), _time(item, "endsAt")
    if begins and ends and ends < begins:
        raise BadBodyError("endsAt is before startsAt")
    return Given(labels, annotations, begins or min(now, ends or now), ends or now + RESOLVE_TIMEOUT)


def _texts(item: Mapping[str, Any], key: str, most: int) -> dict[str, str]:
    """Labels or annotations; empty ones are none."""
    given = item.get(key) or {}
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise BadBodyError(f"{key}: expected an object of texts")
    found = {name: value for name, value in given.items() if value}
    if len(found) > LABELS_MAX:
        raise BadBodyError(f"{key}: {len(found)} of them; at most {LABELS_MAX}")
    for name, value in found.items():
        if len(name) > NAME_MAX or not NAME.fullmatch(name):
            raise BadBodyError(f"{key}: '{name[:NAME_MAX]}' is no name: letters, digits and _, at most {NAME_MAX}")
        if len(value) > most or (not value.isprintable() and key == "labels"):
            raise BadBodyError(f"{key}: {name} is longer than {most} letters or not printable")
    return found


def _time(item: Mapping[str, Any], key: str) -> datetime | None:
    given = item.get(key)
    if not given or str(given).startswith("0001-01-01T00:00:00"):
        return None
    try:
        found = datetime.fromisoformat(_micro(str(given)))
    except ValueError:
        raise BadBodyError(f"{key}: not a time such as 2026-01-01T00:00:00Z") from None
    if found.tzinfo is None:
        raise BadBodyError(f"{key}: a time needs its zone")
    return utc(found)


def _micro(text: str) -> str:
    """Go writes nanoseconds."""
    return re.sub(r"(\.\d{6})\d+", r"\1", text)


def read_silence(body: Any, new_id: str, now: datetime) -> tuple[Silence, str]:
    """The silence, and the id of the one that it takes the place of, if any.

    Raises:
        BadBodyError: it can't be one.
    """
    if not isinstance(body, dict):
        raise BadBodyError("expected an object")
    matchers = tuple(_matcher(item) for item in body.get("matchers") or ())
    ends = _time(body, "endsAt")
    if ends is None:
        raise BadBodyError("endsAt: a silence needs an end")
    begins = max(_time(body, "startsAt") or now, now)
    silence = Silence(new_id, matchers, begins, ends, str(body.get("createdBy", "")), str(body.get("comment", "")))
    if faults := faults_of(silence):
        raise BadBodyError("; ".join(faults))
    return silence, str(body.get("id") or "")


def _matcher(item: Any) -> Matcher:
    if not isinstance(item, dict) or not isinstance(item.get("name"), str) or not isinstance(item.get("value"), str):
        raise BadBodyError("matchers: expected objects with name and value")
    op = OPS[(bool(item.get("isEqual", True)), bool(item.get("isRegex", False)))]
    try:
        return label_matcher(item["name"], op, item["value"])
    except ValueError as error:
        raise BadBodyError(f"matchers: {error}") from None


# --- written


def alert_written(one: AlertNow, now: datetime) -> dict[str, object]:
    told = one.told
    mutes = [mute for some in one.mutes.values() for mute in some]
    quiet = bool(one.mutes) and all(one.mutes.values())
    return {
        "labels": dict(told.labels),
        "annotations": dict(told.annotations),
        "startsAt": told.started_at.isoformat(),
        "endsAt": (now + RESOLVE_TIMEOUT).isoformat(),
        "updatedAt": now.isoformat(),
        "fingerprint": told.dedup_key,
        "generatorURL": told.annotations.get("console", ""),
        "receivers": [{"name": name} for name in sorted(one.mutes)],
        "status": {
            "state": "suppressed" if quiet else "active",
            "silencedBy": _named(mutes, MuteKind.SILENCE),
            "inhibitedBy": _named(mutes, MuteKind.INHIBITION),
            "mutedBy": _named(mutes, MuteKind.MUTE_TIME, MuteKind.INACTIVE),
        },
        "mutes": [{"kind": mute.kind.value, "name": mute.name, "why": mute.why} for mute in mutes],
    }


def _named(mutes: Iterable[Mute], *kinds: MuteKind) -> list[str]:
    return sorted({mute.name for mute in mutes if mute.kind in kinds})


def chosen(alerts: Sequence[AlertNow], matchers: Sequence[Matcher]) -> list[AlertNow]:
    return [one for one in alerts if all(matches(m, one.told.labels) for m in matchers)]


def silence_written(silence: Silence, ended_by: str, now: datetime) -> dict[str, object]:
    return {
        "id": silence.id,
        "matchers": [
            {"name": m.name, "value": m.value, "isRegex": m.op in ("=~", "!~"), "isEqual": m.op in ("=", "=~")}
            for m in silence.matchers
        ],
        "startsAt": silence.starts_at.isoformat(),
        "endsAt": silence.ends_at.isoformat(),
        "updatedAt": silence.starts_at.isoformat(),
        "createdBy": silence.author,
        "comment": silence.reason,
        "status": {"state": state_of(silence, now).value},
        "endedBy": ended_by,
    }
