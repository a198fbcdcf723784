"""Snapshots built by hand: a fleet on a bad day, and the moments in which there is little to show."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sloengine.model import (
    BurnPolicy,
    BurnReading,
    BurnWindow,
    Counts,
    EpisodeNow,
    Group,
    Latency,
    NodeNow,
    Severity,
    Sli,
    Slo,
    Snapshot,
    State,
    Status,
)

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
HOSTILE = "<script>window.pwned=1</script><img src=x onerror=window.pwned=2>\u202egpj.exe\u0000 👩‍🚒" + "A" * 10_000

PAGE = BurnWindow(Severity.PAGE, timedelta(hours=1), timedelta(minutes=5), 0.02)
TICKET = BurnWindow(Severity.TICKET, timedelta(days=3), timedelta(hours=6), 0.1)
MOSTLY_GOOD = Counts(good=999_990, bad=10, unknown=3)
POLICY = BurnPolicy(
    "google", (PAGE, BurnWindow(Severity.PAGE, timedelta(hours=6), timedelta(minutes=30), 0.05), TICKET)
)


def slo(name: str = "digits-success", **changes: object) -> Slo:
    values: dict[str, object] = {
        "name": name,
        "display_name": name.replace("-", " ").capitalize(),
        "description": "Requests end with a usable answer.",
        "service": "digits",
        "indicator": "M1",
        "target": 0.999,
        "window": timedelta(days=30),
        "by": ("model", "region"),
        "sli": Sli(),
        "policy": POLICY,
        "owner": "edge-ml",
        "runbook": "https://runbooks.example/digits",
        "source": "catalogue/digits.yaml:3",
    }
    return Slo(**{**values, **changes})  # type: ignore[arg-type]


def status(
    state: State = State.OK,
    *,
    of: Slo | None = None,
    group: Group = (("model", "digits"), ("region", "eu-north")),
    counts: Counts = MOSTLY_GOOD,
    burns: tuple[float | None, ...] = (0.2, 0.1, 0.1, 0.2, 0.3, 0.1),
    **changes: object,
) -> Status:
    """``burns`` are long and short of each window pair in turn."""
    of = of or slo()
    remaining = 1 - counts.bad / counts.valid / (1 - of.target) if counts.valid else None
    values: dict[str, object] = {
        "slo": of,
        "group": group,
        "at": NOW - timedelta(seconds=4),
        "state": state,
        "sli": 1 - counts.bad / counts.valid if counts.valid else None,
        "counts": counts,
        "coverage": 0.9987,
        "budget_remaining": remaining,
        "burns": tuple(
            BurnReading(w, w.factor(of.window), burns[2 * i], burns[2 * i + 1]) for i, w in enumerate(of.policy.windows)
        ),
        "reason": "99% of the budget left",
        "since_last_data": timedelta(seconds=41),
    }
    return Status(**{**values, **changes})  # type: ignore[arg-type]


def node(device: str, age_s: float | None, region: str = "eu-north", lag_s: float | None = 0.2) -> NodeNow:
    heard = None if age_s is None else NOW - timedelta(seconds=age_s)
    return NodeNow(device, f"gw-{region}", region, "digits", heard, age_s, lag_s if heard else None)


def episode(key: str, resolved_s: float | None = None, labels: Mapping[str, str] | None = None) -> EpisodeNow:
    ended = None if resolved_s is None else NOW - timedelta(seconds=resolved_s)
    return EpisodeNow(
        key,
        Severity.PAGE,
        "firing" if ended is None else "resolved",
        labels or {"alertname": "ErrorBudgetBurn", "slo": "digits-success", "model": "digits", "region": "ap-south"},
        NOW - timedelta(hours=1, minutes=4),
        ended,
    )


def _dimensions(service: str, model: str, version: str, region: str) -> Group:
    return (("service", service), ("model", model), ("version", version), ("region", region))


def bad_day() -> Snapshot:
    """Every state at once."""
    latency = slo("digits-latency", indicator="M2", target=0.95, display_name="Digits within 50 ms", runbook=None)
    fresh = slo("fleet-freshness", indicator="M4", by=("region",), target=0.99, owner=None)
    statuses = (
        status(),
        status(
            group=(("model", "digits"), ("region", "us-west")),
            counts=Counts(1_204_881, 0, 0),
            reason="100% of the budget left",
        ),
        status(
            State.BURNING,
            group=(("model", "digits"), ("region", "ap-south")),
            counts=Counts(401_220, 1_931, 12),
            burns=(38.4, 41.2, 9.1, 38.0, 1.4, 4.8),
            reason="burning 38.4x over 1h and 41.2x over 5m, limit 14.4x",
            versions=(("2.1.0", Counts(210, 140)), ("2.0.3", Counts(4_870, 3))),
        ),
        status(
            State.EXHAUSTED,
            of=latency,
            counts=Counts(90_000, 6_100, 0),
            burns=(1.1, 0.9, 1.3, 1.1, 0.9, 1.2),
            reason="27% over the budget of 30d",
        ),
        status(
            State.STALE,
            of=fresh,
            group=(("region", "sa-east"),),
            coverage=0.41,
            reason="newest data is 14m20s old",
            since_last_data=timedelta(seconds=860),
        ),
        status(
            State.NO_TRAFFIC,
            of=latency,
            group=(("model", "wakeword"), ("region", "eu-north")),
            counts=Counts(),
            burns=(None,) * 6,
            reason="no valid events in 30d",
            coverage=None,
            since_last_data=None,
        ),
        status(
            State.BROKEN,
            of=fresh,
            group=(("region", "ap-south"),),
            counts=Counts(),
            burns=(None,) * 6,
            reason="query failed: ClickHouse did not answer in 30 s",
            coverage=None,
            since_last_data=None,
        ),
        status(
            of=fresh, group=(("region", "eu-north"),), counts=Counts(86_312, 41, 0), reason="95% of the budget left"
        ),
    )
    slices = [("digits", "2.1.0", "ap-south"), ("digits", "2.0.3", "eu-north"), ("wakeword", "1.4.2", "us-west")]
    return Snapshot(
        at=NOW - timedelta(seconds=4),
        statuses=statuses,
        latencies=tuple(
            (_dimensions("digits", m, v, r), Latency(0.0123, 0.0312 * i, 0.4 * i, 0.0054, 41_000 // i))
            for i, (m, v, r) in enumerate(slices, 1)
        ),
        nodes=(
            *(node(f"eu-north-{i:03d}", 2.0 + i) for i in range(60)),
            node("sa-east-004", 860, "sa-east", lag_s=-4213.0),
            node("sa-east-009", None, "sa-east"),
        ),
        episodes=(
            episode("sloengine-9f2c1d0b7a6655443322-1"),
            episode("sloengine-11aa22bb33cc44dd55ee-4", resolved_s=1500),
        ),
        outbox={"pending": 1, "sent": 41, "dead": 0},
        problems=("fleet-freshness: ClickHouse at http://127.0.0.1:8123 did not answer in 30 s",),
        tick_s=0.412,
    )


def calm() -> Snapshot:
    regions = ("ap-south", "eu-north", "sa-east", "us-west")
    return Snapshot(
        at=NOW - timedelta(seconds=7),
        statuses=tuple(status(group=(("model", "digits"), ("region", r))) for r in regions),
        nodes=tuple(node(f"{r}-001", 3.0, r) for r in regions),
        outbox={"sent": 12},
        tick_s=0.2,
    )


def hostile() -> Snapshot:
    """Every text that others choose is hostile."""
    evil = slo(
        HOSTILE,
        display_name=HOSTILE,
        description=HOSTILE,
        owner=HOSTILE,
        runbook="javascript:window.pwned=3//" + HOSTILE,
    )
    group = (("model", HOSTILE), ("region", "שלום עולם 🌍🔥"))
    return Snapshot(
        at=NOW,
        statuses=(
            status(State.BURNING, of=evil, group=group, reason=HOSTILE, versions=((HOSTILE, Counts(1, 2)),)),
            status(),
        ),
        latencies=((_dimensions(HOSTILE, HOSTILE, HOSTILE, HOSTILE), Latency(0.01, 0.02, 0.03, 0.005, 9)),),
        nodes=(NodeNow(HOSTILE, HOSTILE, HOSTILE, HOSTILE, NOW, 1.0, 0.1),),
        episodes=(episode(HOSTILE, labels={HOSTILE: HOSTILE}),),
        outbox={HOSTILE: 1},
        problems=(HOSTILE,) * 30,
        tick_s=0.1,
    )
