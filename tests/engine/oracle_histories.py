"""What fleets did and how it was told: random histories, drawn by hypothesis, for the oracle and the engine alike.

A history is a list of deliveries: one metric point, span, event, prediction or label as one gateway handed it to the store. Many
histories share one store: each is a region of its own, and a *world* says what is true for all of them (clocks that are
known to be off, gateways in quarantine, excluded time, the moments at which the engine looked). Shares nothing with the engine.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MS = timedelta(milliseconds=1)
# Raw rows expire after 40 days of real time, so histories lie in the recent past; a midnight lies in them. They are short and far
# between, because what an engine recomputes at once, and what it does not, is decided by how far apart things lie.
BEGIN = datetime.now(UTC).replace(hour=23, minute=55, second=0, microsecond=0) - 4 * DAY
LENGTH = 10 * MINUTE
LATEST = BEGIN + 50 * HOUR
"""Nothing is delivered later."""
END = LATEST + 2 * HOUR
DISTRUSTED, CLEARED = "q0", "q1"
GATEWAYS = ("a", "b", DISTRUSTED, CLEARED)
"""Two of a history's own, so that no other history's data makes the engine look at its minutes; two that all share."""
SKEWED = ("d0", "d1")
DEVICES = (*SKEWED, "d2", "d3", "d4", "d5")
MODEL = "m"
KINDS = ("sum", "exponential", "explicit", "gauge", "span", "log", "prediction")
THRESHOLDS = ("", "0", "8", "c", "ff")
"""As devices write them: none, everything, a half, a quarter, one in 256."""
UNKNOWABLE = 60 * DAY
"""How long ago a process began whose first points the raw tables no longer hold."""
SPACE = 2**56


@dataclass(frozen=True)
class Delivery:
    """One item as it reached the store."""

    kind: str
    name: str
    device: str
    gateway: str
    at: datetime
    """What the device's clock said."""
    received: datetime
    """When the gateway had it."""
    ingested: datetime
    version: str = "1"
    start: datetime = BEGIN
    delta: bool = False
    attributes: tuple[tuple[str, str], ...] = ()
    value: float = 0.0
    values: tuple[float, ...] = ()
    """Histograms: every value since the start."""
    scale: int = 6
    ident: str = ""
    """Of a span, a prediction, or what a label is about."""
    request: str = ""
    lasted_s: float = 0.0
    threshold: str = ""

    def get(self, name: str) -> str:
        return dict(self.attributes).get(name, "")

    @property
    def series(self) -> tuple[object, ...]:
        return (self.name, self.device, self.version, self.attributes, self.delta)


@dataclass(frozen=True)
class Offset:
    """A device's times, received from ``since`` on and before ``until``: add so many milliseconds."""

    device: str
    since: datetime
    until: datetime
    ms: int


@dataclass(frozen=True)
class Quarantine:
    """What a gateway delivered, stored from ``since`` on and before ``until``, counts as nothing."""

    gateway: str
    since: datetime
    until: datetime
    lifted: bool = False


@dataclass(frozen=True)
class Excluded:
    """Time that does not count, for one version; so long, each day or once."""

    version: str
    start: datetime
    length: timedelta
    daily: bool


@dataclass(frozen=True)
class World:
    """What is true for all histories of a run, and at which of its ticks each correction became known."""

    ticks: tuple[datetime, ...]
    offsets: tuple[tuple[int, Offset], ...]
    quarantines: tuple[tuple[int, Quarantine], ...]
    excluded: tuple[Excluded, ...]
    targets: tuple[tuple[datetime, float], ...]
    looks: tuple[datetime, ...]
    """Moments at which windows are asked for, after the last tick."""
    kinds: tuple[str, ...]
    """What its histories tell of."""

    @property
    def clocks(self) -> list[Offset]:
        """As they are known in the end."""
        return list({(o.device, o.since): o for _, o in self.offsets}.values())


@dataclass(frozen=True)
class Plan:
    """The shape of a history, as hypothesis draws it; the dice fill in the rest."""

    kinds: tuple[str, ...]
    devices: tuple[int, ...]
    gateways: tuple[int, ...]
    steps: int
    step_s: int
    late: bool
    again: bool
    gaps: bool
    restarts: bool
    resets: bool
    delta: bool
    scales: bool
    roams: bool
    begun: timedelta
    dice: int
    gap_share: float = 0.15
    """How often a step is one, where there are gaps."""
    gap_minutes: tuple[int, ...] = (6, 65, 65, 1500)


@dataclass(frozen=True)
class History:
    deliveries: tuple[Delivery, ...] = field(default=())

    def __str__(self) -> str:
        return "\n".join(_line(d) for d in sorted(self.deliveries, key=lambda d: d.ingested))


def _line(d: Delivery) -> str:
    told = {
        "start": _clock(d.start) if d.kind in ("sum", "exponential", "explicit") else "",
        "value": d.value if d.kind in ("sum", "gauge") else "",
        "values": [round(v, 4) for v in d.values] or "",
        "scale": d.scale if d.kind == "exponential" else "",
        "delta": d.delta or "",
        **dict(d.attributes),
        **{n: getattr(d, n) for n in ("ident", "request", "lasted_s", "threshold") if getattr(d, n)},
    }
    said = ", ".join(f"{k} {v}" for k, v in told.items() if v != "")
    when = f"{_clock(d.at)}, received {_clock(d.received)}, stored {_clock(d.ingested)}"
    return f"{d.kind} {d.name} {d.device}/{d.gateway} v{d.version} at {when}: {said}"


def _clock(at: datetime) -> str:
    return f"{at:%d %H:%M:%S.%f}"


# --- strategies


def plans(kinds: Sequence[str]) -> st.SearchStrategy[Plan]:
    flag = st.booleans()
    return st.builds(
        Plan,
        kinds=st.lists(st.sampled_from(kinds), min_size=1, max_size=3, unique=True).map(tuple),
        # One in five has a clock that is off: what is known of clocks goes with every statement.
        devices=st.lists(st.sampled_from([0, 1, *[2, 3, 4, 5] * 4]), min_size=1, max_size=2, unique=True).map(tuple),
        gateways=st.lists(st.sampled_from([0, 0, 0, 1, 1, 2, 3]), min_size=1, max_size=2).map(tuple),
        steps=st.integers(1, 8),
        step_s=st.sampled_from([5, 20, 60]),
        late=flag,
        again=flag,
        gaps=flag,
        restarts=flag,
        resets=flag,
        delta=st.sampled_from([False, False, False, True]),
        scales=flag,
        roams=st.sampled_from([False, False, True]),
        begun=st.sampled_from([timedelta(), timedelta(), 90 * SECOND, 10 * HOUR, UNKNOWABLE]),
        dice=st.integers(0, 2**32),
    )


SIBLINGS = 25
"""Histories per shape that hypothesis draws: one drawing costs as much as making a hundred deliveries."""
FLAGS = ("late", "again", "gaps", "restarts", "resets", "delta", "scales", "roams")


def draw(
    count: int, number: int, world: World, kinds: Sequence[str] = (), fixed: Mapping[str, Any] = MappingProxyType({})
) -> list[History]:
    """So many histories of a seed, of these kinds of telemetry or the world's; ``fixed``: what all their plans say."""
    kinds = kinds or world.kinds
    found: list[Plan] = []

    @seed(number)
    @settings(
        max_examples=-(-count // SIBLINGS),
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(plans(kinds))
    def collect(plan: Plan) -> None:
        found.extend(_siblings(plan, kinds))

    collect()
    dice = random.Random(number)
    while len(found) < count:  # hypothesis may find fewer shapes than it was asked for
        found += _siblings(replace(dice.choice(found), dice=dice.randrange(2**32)), kinds)
    # The same luck twice would make the same ids twice, behind gateways that histories share.
    lucky = [replace(plan, dice=hash((plan.dice, n)), **fixed) for n, plan in enumerate(found[:count])]
    return [history_of(plan, world) for plan in lucky]


def _siblings(plan: Plan, kinds: Sequence[str]) -> list[Plan]:
    """The plan, and others like it that differ in luck and here and there in shape."""
    dice = random.Random(plan.dice)
    others = []
    for _ in range(SIBLINGS - 1):
        flags = {name: getattr(plan, name) != (dice.random() < 0.2) for name in FLAGS}
        chosen = plan.kinds if dice.random() < 0.5 else (dice.choice(kinds),)
        gateways = (dice.choice([0, 0, 0, 2, 3]), *plan.gateways[1:])
        others.append(replace(plan, **flags, kinds=chosen, gateways=gateways, dice=dice.randrange(2**32)))
    return [plan, *others]


def world_of(number: int) -> World:
    """Clocks, quarantines, exclusions and ticks of a seed."""
    dice = random.Random(number)
    ticks = (BEGIN + timedelta(minutes=dice.uniform(4, 20)), BEGIN + timedelta(minutes=dice.uniform(80, 2500)), END)
    # What becomes known late is one thing a run: each makes the engine count much anew.
    late = dice.choice(["clock", "quarantine", "cleared"])
    offsets = []
    for device, told in zip(SKEWED, (0, 2 if late == "clock" else 0), strict=True):
        since = BEGIN + dice.randrange(-3, 5) * MINUTE
        until = since + timedelta(minutes=dice.choice([3, 8, 3000]))
        ms = dice.choice([-1, 1]) * dice.choice([61_000, 300_123]) if dice.random() < 0.7 else 3_600_000
        offsets.append((told, Offset(device, since, until, ms)))
    if late == "clock":
        # Of one the end is not known before the last tick.
        first = offsets[0][1]
        offsets = [(0, replace(first, until=LATEST + DAY)), *offsets[1:], (2, first)]
    since = BEGIN + dice.randrange(8) * MINUTE
    part = Quarantine(DISTRUSTED, since, since + dice.choice([3, 6, 70, 2000]) * MINUTE)
    whole = Quarantine(CLEARED, BEGIN - DAY, LATEST + DAY)
    quarantines = [(dice.choice([1, 2]) if late == "quarantine" else 0, part), (0, whole)]
    if late == "cleared":
        quarantines.append((dice.choice([1, 2]), replace(whole, lifted=True)))
    kinds = tuple(dice.sample(KINDS, 5))
    excluded = (
        Excluded("2", BEGIN + dice.randrange(8) * MINUTE, dice.randrange(1, 5) * MINUTE, daily=False),
        Excluded("3", BEGIN - 3 * DAY + dice.randrange(8) * MINUTE, dice.randrange(1, 5) * MINUTE, daily=True),
    )
    looks = [BEGIN + dice.randrange(3, 15) * MINUTE + 17 * SECOND, BEGIN + dice.randrange(20, 90) * MINUTE]
    targets = ((BEGIN - 60 * DAY, 0.99), (BEGIN + dice.randrange(10) * MINUTE, 0.95))
    return World(ticks, tuple(offsets), tuple(quarantines), excluded, targets, (*looks, END), kinds)


# --- from a plan to deliveries


@dataclass
class _Teller:
    """Deliveries of one plan."""

    plan: Plan
    dice: random.Random
    world: World
    out: list[Delivery] = field(default_factory=list)

    def tell(self, item: Delivery, true: datetime) -> None:
        """Deliver what was made at ``true``, late or at once, perhaps twice; if its device roams, through any gateway."""
        dice = self.dice
        if self.plan.roams and dice.random() < 0.4:
            item = replace(item, gateway=dice.choice(GATEWAYS))
        wait = timedelta(milliseconds=dice.randrange(50, 3000))
        if self.plan.late and dice.random() < 0.4:
            wait += dice.choice([MINUTE, HOUR, DAY]) * dice.uniform(0.5, 2)
        received = min(_ms(true + wait), LATEST - 3 * HOUR)
        # A gateway may hold back for long what it has; and a correction's edge may be met to the millisecond.
        held = dice.choice([10 * MS, 10 * MS, 10 * MS, SECOND, 100 * MINUTE])
        ingested = received + held
        if dice.random() < 0.03:
            ingested = dice.choice([q.since for _, q in self.world.quarantines if q.since >= received] or [ingested])
        made = replace(item, at=true - self._off(item.device, received), received=received, ingested=ingested)
        self.out.append(made)
        if self.plan.again and dice.random() < 0.3:
            # The gateway repeats it, with its own stamp; the device of a right clock may, too.
            later = made.ingested + dice.choice([MS, MINUTE, HOUR]) * dice.uniform(1, 2)
            stamp = received if self.ever_off(item.device) else _ms(later)
            gateway = dice.choice(GATEWAYS) if self.plan.roams else item.gateway
            self.out.append(replace(made, gateway=gateway, received=stamp, ingested=min(_ms(later) + MS, LATEST)))

    def _off(self, device: str, received: datetime) -> timedelta:
        for offset in self.world.clocks:
            if offset.device == device and offset.since <= received < offset.until:
                return offset.ms * MS
        return timedelta()

    def ever_off(self, device: str) -> bool:
        return any(offset.device == device for offset in self.world.clocks)

    def times(self) -> Iterator[datetime]:
        at = BEGIN + MS * self.dice.randrange(LENGTH // MS // 2)
        for _ in range(self.plan.steps):
            yield at
            step = timedelta(milliseconds=self.dice.randrange(300, 1700)) * self.plan.step_s
            if self.plan.gaps and self.dice.random() < self.plan.gap_share:
                step += self.dice.choice(self.plan.gap_minutes) * MINUTE
            # Whole milliseconds, and no two alike.
            at += _ms(BEGIN + step) - BEGIN + MS


def _ms(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def history_of(plan: Plan, world: World) -> History:
    teller = _Teller(plan, random.Random(plan.dice), world)
    for place, device in enumerate(plan.devices):
        blank = Delivery(
            "", "", DEVICES[device], GATEWAYS[plan.gateways[place % len(plan.gateways)]], BEGIN, BEGIN, BEGIN
        )
        blank = replace(blank, version=teller.dice.choice("1123"))
        for kind in plan.kinds:
            _MAKERS[kind](teller, blank)
    return History(tuple(teller.out))


def _sums(teller: _Teller, blank: Delivery) -> None:
    outcomes = ["success", "failure", "maybe"][: teller.dice.choice([1, 2, 2, 3])]
    for outcome in outcomes:
        base = replace(blank, kind="sum", name="edge.inference.requests")
        base = replace(base, attributes=(("edge.inference.outcome", outcome),), delta=teller.plan.delta)
        _cumulate(teller, base, lambda d: replace(d, value=float(teller.dice.choice([0, 1, 7, 40]))), _add_value)


def _exponential(teller: _Teller, blank: Delivery) -> None:
    base = replace(blank, kind="exponential", name="edge.inference.duration", delta=teller.plan.delta)
    _cumulate(teller, base, lambda d: _observed(teller, d, lambda: teller.dice.lognormvariate(-2.5, 0.8)), _add_values)


def _explicit(teller: _Teller, blank: Delivery) -> None:
    base = replace(blank, kind="explicit", name="edge.inference.score", delta=teller.plan.delta)
    _cumulate(teller, base, lambda d: _observed(teller, d, teller.dice.random), _add_values)


def _observed(teller: _Teller, d: Delivery, one: Callable[[], float]) -> Delivery:
    scale = teller.dice.choice([6, 5, 4, 2]) if teller.plan.scales else 6
    return replace(d, values=tuple(one() for _ in range(teller.dice.randrange(6))), scale=scale)


def _add_value(d: Delivery, before: Delivery) -> Delivery:
    return replace(d, value=before.value + d.value)


def _add_values(d: Delivery, before: Delivery) -> Delivery:
    # A histogram only ever gets coarser, until its process starts again.
    return replace(d, values=before.values + d.values, scale=min(d.scale, before.scale))


def _cumulate(
    teller: _Teller,
    base: Delivery,
    step: Callable[[Delivery], Delivery],
    add: Callable[[Delivery, Delivery], Delivery],
) -> None:
    """Points of one series: cumulative or delta, with restarts (a new start) and resets (an old one)."""
    plan, dice = teller.plan, teller.dice
    before: Delivery | None = None
    last = None
    for at in teller.times():
        fresh = step(base)
        if last is None or (plan.restarts and dice.random() < 0.2):
            before, start = None, at - (plan.begun if last is None else SECOND * dice.uniform(0.1, 5))
        elif plan.resets and base.kind == "sum" and not teller.ever_off(base.device) and dice.random() < 0.2:
            # Of a device whose clock was off a fall is no reset.
            before = None
        if base.delta and last is not None:
            before, start = None, last
        made = replace(add(fresh, before) if before else fresh, start=_ms(start))
        teller.tell(made, at)
        before, last = made, at


def _gauges(teller: _Teller, blank: Delivery) -> None:
    base = replace(blank, kind="gauge", name="system.cpu.utilization", version="")
    for at in teller.times():
        teller.tell(replace(base, value=teller.dice.choice([0.0, 0.3, 0.8, 0.81, 1.0])), at)


def _spans(teller: _Teller, blank: Delivery) -> None:
    """Requests of one to three attempts."""
    dice = teller.dice
    base = replace(blank, kind="span", name="infer", threshold=dice.choice(THRESHOLDS))
    for number, begun in enumerate(teller.times()):
        at = begun
        span = f"{dice.randrange(2**48):012x}"
        # An id is its device's own: others behind the same gateway use it for something else at about the same time.
        request = f"{number:012x}"
        for attempt in range(dice.choice([1, 1, 2, 3])):
            made = replace(
                base,
                request=request,
                ident=f"{span}{attempt:04x}",
                lasted_s=dice.choice([0.01, 0.1, 0.2, 0.201, 3.0]),
                attributes=(("outcome", dice.choice(["ok", "ok", "error", "odd"])),),
            )
            teller.tell(made, at)
            at += timedelta(milliseconds=dice.randrange(3100, 300_000))


def _logs(teller: _Teller, blank: Delivery) -> None:
    for at in teller.times():
        name = teller.dice.choice(["edge.model.loaded", "edge.model.load_failed"])
        teller.tell(replace(blank, kind="log", name=name), at)


def _predictions(teller: _Teller, blank: Delivery) -> None:
    dice = teller.dice
    for at in teller.times():
        ident, threshold = f"{dice.randrange(2**48):012x}", dice.choice(["", "0", "0", "8", "c"])
        if threshold and randomness(ident) < int(threshold.ljust(14, "0"), 16):
            continue
        said = {"label": dice.choice(["cat", "dog", ""]), "truth": dice.choice(["", "", "", "cat"])}
        made = replace(blank, kind="prediction", name="edge.prediction", ident=ident, threshold=threshold)
        made = replace(made, attributes=tuple((k, v) for k, v in said.items() if v))
        teller.tell(made, at)
        if teller.plan.again and dice.random() < 0.2:
            # The device had moved before it repeated it.
            teller.tell(replace(made, gateway=GATEWAYS[dice.choice(teller.plan.gateways)]), at)
        for _ in range(dice.choice([0, 1, 1, 2])):
            given = at + dice.choice([-30, 0, 600, 3601, 80_000]) * SECOND
            _label(teller, made, given)


def _label(teller: _Teller, about: Delivery, given: datetime) -> None:
    said = (("truth", teller.dice.choice(["cat", "dog"])),)
    label = replace(about, kind="label", name="edge.label", device="", attributes=said, threshold="", version="")
    teller.tell(label, max(given, BEGIN))


_MAKERS: dict[str, Callable[[_Teller, Delivery], None]] = {
    "sum": _sums,
    "exponential": _exponential,
    "explicit": _explicit,
    "gauge": _gauges,
    "span": _spans,
    "log": _logs,
    "prediction": _predictions,
}


def randomness(ident: str) -> int:
    """R of an id: docs/telemetry.md."""
    return int.from_bytes(hashlib.sha256(ident.encode()).digest()[:7], "big")


def without(history: History, number: int, lo: int, hi: int) -> History:
    """The history without some of its deliveries, under ids of its own, so that many such fit into one store."""
    kept = (*history.deliveries[:lo], *history.deliveries[hi:])
    return History(tuple(_renamed(d, number) for d in kept))


def _renamed(d: Delivery, number: int) -> Delivery:
    def name(text: str) -> str:
        return f"{number:04x}{text[4:]}" if text else ""

    return replace(d, ident=name(d.ident))


def count_of(histories: Iterable[History]) -> int:
    return sum(len(h.deliveries) for h in histories)
