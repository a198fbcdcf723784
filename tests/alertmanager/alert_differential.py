"""The same scripts through the pure engine and through a real Alertmanager, and where the two tell different things."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alert_scripts import SCRIPT_END, THIRDS, Expected, Heard, Name, Script, make, without_overlap
from alertmanager_rig import Alertmanager, Ear

from sloengine.config.routing import Alerting

SWEEP_S = 30.0
"""How often Alertmanager forgets emptied groups, counted from its start."""
SWEPT = 12 * THIRDS
"""When that is, in a script: in its middle, so that some alerts find their group forgotten."""
POST_MAX = 500
SLIP_MAX = 0.8
"""Thirds of a unit. What was later than this may have been overtaken by what came a third later."""
EARLY_MAX = 0.3
"""A slow machine makes Alertmanager late, never early."""
NEAR = THIRDS
"""How far from a difference another slip makes it doubtful, in thirds."""


def config(unit: float, url: str) -> dict[str, Any]:
    """Routes that go on, nest, group in many ways, mute by time; inhibition; receivers with and without resolves."""

    def span(units: float) -> str:
        return f"{round(units * unit * 1000)}ms"

    quick = {"group_interval": span(1), "repeat_interval": span(3.5)}
    third = 1 / THIRDS
    return {
        "route": {
            "receiver": "main",
            "group_by": ["script", "alertname"],
            "group_wait": span(third),
            "group_interval": span(2),
            "repeat_interval": span(4.5),
            "routes": [
                {
                    "matchers": ['kind="quiet"'],
                    "receiver": "quiet",
                    "group_by": ["script", "severity"],
                    "continue": True,
                    **quick,
                },
                {
                    "match": {"severity": "page"},
                    "receiver": "pager",
                    "group_by": ["script"],
                    "continue": True,
                    **quick,
                    "routes": [
                        {"matchers": ['team!~"x|y"', "alertname!=A"], "receiver": "deep", "group_by": ["..."]},
                    ],
                },
                {
                    "match_re": {"team": "(?i)X|y"},
                    "receiver": "team",
                    "group_by": ["script", "team"],
                    "group_wait": span(1 + third),
                    "group_interval": span(3),
                    "repeat_interval": span(6.5),
                },
                {
                    "match": {"team": "on"},
                    "mute_time_intervals": ["never"],
                    "active_time_intervals": ["always"],
                    "group_by": ["script", "team"],
                },
                {"match": {"team": "off"}, "mute_time_intervals": ["never", "always"]},
            ],
        },
        "inhibit_rules": [
            {
                "source_matchers": ['alertname="C"', 'kind="muted"'],
                "target_match": {"severity": "ticket", "kind": "muted"},
                "equal": ["script", "team", "absent"],
            },
            {
                "source_match_re": {"alertname": "A|C", "kind": "muted"},
                "target_matchers": ['alertname=~"B|C"', 'kind="muted"', 'severity!="ticket"'],
                "equal": ["script"],
            },
        ],
        "time_intervals": [
            {"name": "never", "time_intervals": [{"years": ["1970"]}]},
            {"name": "always", "time_intervals": [{"years": ["1970:3000"]}]},
        ],
        "receivers": [
            *({"name": name, "webhook_configs": [{"url": url}]} for name in ("main", "pager", "deep", "team")),
            {"name": "quiet", "webhook_configs": [{"url": url, "send_resolved": False}]},
        ],
    }


@dataclass
class Recording:
    """What the real one was asked and what it told, in thirds since the beginning."""

    alerting: Alerting
    unit: float
    scripts: dict[str, Script]
    expected: dict[str, Expected]
    told: dict[str, dict[Name, list[tuple[float, Heard]]]] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)
    """Scripts of which something was asked so late that it may have been overtaken."""


@dataclass
class Verdict:
    same: set[str] = field(default_factory=set)
    different: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    by_intention: int = 0
    """Groups compared only up to a resolve that a mute swallowed in Alertmanager."""
    notifications: int = 0


def record(folder: Path, seed: int, count: int, unit: float) -> Recording:
    """Run scripts through a real Alertmanager, all at once."""
    ear = Ear()
    ear.start()
    written = config(unit, ear.url)
    alerting = Alerting.model_validate(written)
    real = Alertmanager(folder, written)
    try:
        base = real.ready + SWEEP_S - SWEPT * unit / THIRDS
        made = [without_overlap(make(seed, i), alerting, unit, SWEPT) for i in range(count)]
        while base < time.time():  # a slow machine: the script's middle is the next time that groups are forgotten
            base += SWEEP_S
        recording = Recording(alerting, unit, {s.name: s for s, _ in made}, {s.name: e for s, e in made})
        _play(real, recording, base, unit)
        time.sleep(max(0.0, base + (SCRIPT_END + 1 + THIRDS) * unit / THIRDS - time.time()))
        for at, body in ear.heard():
            _hear(recording, (at - base) / unit * THIRDS, body)
        return recording
    finally:
        real.close()
        ear.close()


def _hear(recording: Recording, third: float, body: Mapping[str, Any]) -> None:
    alerts = body["alerts"]
    heard = Heard(body["status"], frozenset((frozenset(a["labels"].items()), a["status"]) for a in alerts))
    script = recording.scripts[alerts[0]["labels"]["script"]]
    of_script = recording.told.setdefault(script.name, {})
    of_script.setdefault((body["receiver"], body["groupKey"]), []).append((third - script.offset, heard))


def _play(real: Alertmanager, recording: Recording, base: float, unit: float) -> None:
    def at(third: float) -> float:
        return base + third * unit / THIRDS

    for third, asked in sorted(_timeline(recording.scripts.values(), at).items()):
        time.sleep(max(0.0, at(third) - time.time()))
        alerts = [(name, content) for kind, name, content in asked if kind == "alerts"]
        batches = [alerts[i : i + POST_MAX] for i in range(0, len(alerts), POST_MAX)]
        posts: list[tuple[str, set[str], object]] = [
            *(("silences", {name}, content) for kind, name, content in asked if kind == "silences"),
            *(("alerts", {name for name, _ in batch}, [content for _, content in batch]) for batch in batches),
        ]
        for path, names, content in posts:
            taken = real.post(path, content)
            if not taken or time.time() > at(third + SLIP_MAX):
                recording.late |= names


def _timeline(scripts: Iterable[Script], at: Callable[[float], float]) -> dict[float, list[tuple[str, str, object]]]:
    def moment(third: float) -> str:
        return datetime.fromtimestamp(at(third), UTC).isoformat()

    asked: dict[float, list[tuple[str, str, object]]] = {}
    for script in scripts:
        late = script.offset
        for f in script.firings:
            alert = {"labels": f.labels, "startsAt": moment(late + f.begins - f.age)}
            asked.setdefault(late + f.begins, []).append(("alerts", script.name, alert))
            asked.setdefault(late + f.ends, []).append(
                ("alerts", script.name, {**alert, "endsAt": moment(late + f.ends)})
            )
        for h in script.hushes:
            matchers = [
                {"name": m.name, "value": m.value, "isRegex": "~" in m.op, "isEqual": "!" not in m.op}
                for m in h.matchers
            ]
            silence = {
                "matchers": matchers,
                "startsAt": moment(late + h.begins),
                "endsAt": moment(late + h.ends),
                "createdBy": "a",
                "comment": "r",
            }
            asked.setdefault(late + h.asked, []).append(("silences", script.name, silence))
    return asked


def compare(recording: Recording, expected: Mapping[str, Expected]) -> Verdict:
    """Scripts of which something slipped, or that differ just when others slipped, say nothing and are counted."""
    verdict = Verdict()
    slips = Counter(
        round(at)
        for name in expected
        for at, slip in _slips(expected[name], recording.told.get(name, {}))
        if slip > SLIP_MAX
    )
    for name, ours in expected.items():
        theirs = recording.told.get(name, {})
        verdict.by_intention += len(ours.differs)
        verdict.notifications += sum(map(len, theirs.values()))
        differing = list(_differing(ours, theirs))
        slipped = any(slip > SLIP_MAX for _, slip in _slips(ours, theirs))
        doubtful = any(slips[third] for at, _ in differing for third in range(round(at) - NEAR, round(at) + NEAR + 1))
        if name in recording.late or slipped or doubtful:
            verdict.dropped.append(name)
        elif differing:
            verdict.different.append(f"{recording.scripts[name]}\n" + "\n".join(words for _, words in differing))
        else:
            verdict.same.add(name)
    return verdict


def _pairs(ours: Expected, theirs: Mapping[Name, list[tuple[float, Heard]]]) -> Iterator[tuple[Name, Any, Any]]:
    """Sequences of both for each group, up to where they are not meant to be alike."""
    for group in ours.told.keys() | theirs.keys():
        until = min(ours.differs.get(group, SCRIPT_END), SCRIPT_END) - 0.5
        mine = [(at, heard) for at, heard in ours.told.get(group, []) if at < until]
        real = [(at, heard) for at, heard in theirs.get(group, []) if at < until]
        yield group, mine, real


def _slips(ours: Expected, theirs: Mapping[Name, list[tuple[float, Heard]]]) -> Iterator[tuple[float, float]]:
    for _, mine, real in _pairs(ours, theirs):
        if [heard for _, heard in mine] == [heard for _, heard in real]:
            yield from ((at, then - at) for (at, _), (then, _) in zip(mine, real, strict=True))


def _differing(ours: Expected, theirs: Mapping[Name, list[tuple[float, Heard]]]) -> Iterator[tuple[float, str]]:
    for group, mine, real in _pairs(ours, theirs):
        pairs = list(zip(mine, real, strict=False))
        alike = next((i for i, (a, b) in enumerate(pairs) if a[1] != b[1] or b[0] < a[0] - EARLY_MAX), len(pairs))
        rest = [at for at, _ in (*mine[alike:], *real[alike:])]
        if rest:
            yield min(rest), f"{group}\n  ours: {_told(mine)}\n  real: {_told(real)}"


def _told(sequence: list[tuple[float, Heard]]) -> str:
    def one(labels: frozenset[tuple[str, str]], status: str) -> str:
        named = dict(labels)
        return f"{named['alertname']}/{named['severity']}/{named['team']} {status}"

    return "; ".join(
        f"{at:.2f} {heard.status} [{', '.join(sorted(one(*m) for m in heard.members))}]" for at, heard in sequence
    )


def setting(name: str, default: float) -> float:
    return float(os.environ.get(name, default))
