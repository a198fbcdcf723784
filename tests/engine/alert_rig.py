"""Alerts that begin and end as a test says, a routing, a clock and a pager: all of telling and delivering, without a store."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from sloengine import jobs
from sloengine.alert.episodes import Episode, EpisodeState, identity_of
from sloengine.alert.given import Given
from sloengine.alert.silences import Silence
from sloengine.config.routing import load_alerting
from sloengine.config.settings import EngineSection, Settings
from sloengine.gameday.pager import Pager
from sloengine.jobs.accept import accept
from sloengine.jobs.enrol import enrol
from sloengine.model import Catalogue, Matcher, Severity
from sloengine.state import episodes as episode_rows
from sloengine.state import groups as group_rows
from sloengine.state import silences as silence_rows
from sloengine.state.database import open_database, transaction
from sloengine.state.episodes import Change
from sloengine.store.client import Store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


class AlertRig:
    """One engine that decides nothing by itself. ``routing``: an ``alerting.yaml``; its receivers' webhooks are the pager."""

    def __init__(self, folder: Path, pager: Pager, routing: Mapping[str, Any], state_url: str = "") -> None:
        self.folder, self.pager, self.now = folder, pager, NOW
        self.state_url = state_url or f"sqlite:///{folder}/state.db"
        self.write(routing)
        self.deps = self.engine("one")

    def write(self, routing: Mapping[str, Any] | str) -> None:
        text = routing if isinstance(routing, str) else json.dumps(self._with_receivers(routing))
        (self.folder / "alerting.yaml").write_text(text)

    def _with_receivers(self, routing: Mapping[str, Any]) -> dict[str, Any]:
        names = {"on-call"} | {route["receiver"] for route in _routes(routing["route"]) if "receiver" in route}
        configs = [{"name": name, "webhook_configs": [{"url": f"{self.pager.url}/{name}"}]} for name in sorted(names)]
        return {"receivers": configs, **routing}

    def engine(self, holder: str) -> jobs.Deps:
        """Another engine on the same state: what a restart or a replica is."""
        settings = Settings(
            alerting=self.folder / "alerting.yaml",
            state_url=self.state_url,
            engine=EngineSection(delivery_timeout_s=2),
        )
        return jobs.Deps(
            settings=settings,
            catalogue=Catalogue((), ()),
            alerting=load_alerting(settings.alerting),
            store=Store(settings.store),
            state=open_database(settings.state_url),
            http=httpx.Client(timeout=2),
            clock=lambda: self.now,
            holder=holder,
        )

    def restart(self) -> None:
        """As after a kill: nothing of what the old one had in memory is left. Its lease runs out."""
        self.close()
        self.now += MINUTE
        self.deps = self.engine(f"after-{self.deps.holder}")
        jobs.reload(self.deps, self.now)

    def fire(self, name: str, at: datetime | None = None, **labels: str) -> str:
        """A new episode; its dedup key."""
        found = {"alertname": name, **labels}
        identity = identity_of(found)
        with transaction(self.deps.state) as connection:
            before = episode_rows.latest(connection).get(identity)
            number = before.number + 1 if before else 1
            began = at or self.now
            episode = Episode(identity, number, Severity.PAGE, found, EpisodeState.FIRING, began, began)
            change = Change(self.now, "burning", {}, {"summary": f"{name} fires"})
            enrol(self.deps, connection, {episode_rows.fire(connection, episode, change): found}, self.now)
        return episode.dedup_key

    def resolve(self, name: str, **labels: str) -> None:
        with transaction(self.deps.state) as connection:
            episode = episode_rows.latest(connection)[identity_of({"alertname": name, **labels})]
            change = Change(self.now, "quiet", {}, {"summary": f"{name} is over"})
            group_rows.touch(connection, [episode_rows.resolve(connection, episode, change)], self.now)

    def storm(self, alerts: Iterable[Mapping[str, str]]) -> None:
        """Alerts that a client raises all at once."""
        accept(self.deps, [Given(labels, {}, self.now, self.now + HOUR) for labels in alerts], self.now)

    def silence(self, *matchers: tuple[str, str, str], hours: float = 1.0) -> str:
        found = tuple(Matcher(*m) for m in matchers)
        one = Silence(f"s{len(matchers)}-{self.now:%H%M%S}", found, self.now, self.now + hours * HOUR, "ann", "known")
        with transaction(self.deps.state) as connection:
            silence_rows.add(connection, one, self.now)
        return one.id

    def run(self, seconds: float, step: float = 1.0) -> list[tuple[int, str, list[tuple[str, str]]]]:
        """Let time pass; what arrived: seconds since the start, receiver, and (alert, status) of each in it."""
        seen = []
        for _ in range(round(seconds / step)):
            self.now += step * SECOND
            seen += self.look()
        return seen

    def look(self) -> list[tuple[int, str, list[tuple[str, str]]]]:
        """What arrives now."""
        before = len(self.pager.bodies)
        jobs.deliver(self.deps)
        at = int((self.now - NOW).total_seconds())
        new = [body for body in self.pager.bodies[before:] if isinstance(body, dict)]
        return [(at, body["receiver"], _statuses(body)) for body in new]

    def close(self) -> None:
        self.deps.http.close()
        self.deps.state.dispose()


def _statuses(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    return sorted((alert["labels"]["alertname"], alert["status"]) for alert in body["alerts"])


def _routes(route: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [route, *(below for child in route.get("routes", ()) for below in _routes(child))]
