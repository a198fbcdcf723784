"""What only a whole catalogue tells of an SLO: histories with two heirs, too many slices, nodes that nobody expects. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from sloengine.config.findings import near
from sloengine.config.matchers import shown
from sloengine.model import Node, Slo, Source

OF_NODES = ("region", "gateway", "device")
Said = tuple[Slo, str]
"""What it is said of, and a warning in words."""


def told_together(slos: Mapping[str, Slo], nodes: Sequence[Node]) -> Iterator[Said]:
    """Everything of this kind; ``slos`` by name."""
    yield from _renamed(slos)
    yield from _too_many(slos.values(), nodes)
    yield from _nobody_expected(slos.values(), nodes)


def _renamed(slos: Mapping[str, Slo]) -> Iterator[Said]:
    """A history has one heir, and none while who made it is still there."""
    heirs: dict[str, Slo] = {}
    for slo in slos.values():
        first = heirs.setdefault(slo.was, slo) if slo.was else slo
        if slo.was and slo.was in slos:
            yield slo, f"'was' names SLO '{shown(slo.was)}', which is still there, at {slos[slo.was].source}"
        elif first is not slo:
            yield (
                slo,
                f"SLO '{first.name}' at {first.source} was '{shown(slo.was)}' too: a history has one heir",
            )


def _too_many(slos: Iterable[Slo], nodes: Iterable[Node]) -> Iterator[Said]:
    """What the inventory alone makes of slices; that there are more can only be seen in the store (``--live``)."""
    by_service: dict[str, list[Node]] = {}
    for node in nodes:
        by_service.setdefault(node.service, []).append(node)
    counts: dict[tuple[str, tuple[str, ...]], int] = {}
    for slo in slos:
        told = tuple(name for name in slo.by if name in OF_NODES)
        if told and (slo.service, told) not in counts:
            found = {tuple(getattr(node, name) for name in told) for node in by_service.get(slo.service, ())}
            counts[slo.service, told] = len(found)
        count = counts.get((slo.service, told), 0)
        if count > slo.slices_max:
            said = f"the inventory makes {count} combinations of {', '.join(told)}; slices-max is {slo.slices_max}"
            yield slo, f"{said}: the rest is folded into 'other'"


def _nobody_expected(slos: Iterable[Slo], nodes: Iterable[Node]) -> Iterator[Said]:
    """Who is expected only an inventory says; without one such an SLO has nothing to count, for ever."""
    services = {node.service for node in nodes}
    for slo in slos:
        asked = any((s.source, s.name) == (Source.DERIVED, "nodes.heard") for s in slo.sli.selectors)
        if asked and slo.service not in services:
            said = f"SLO '{slo.name}' counts expected nodes, and no Inventory that was read lists one of service"
            yield slo, f"{said} '{shown(slo.service)}'{near(slo.service, services)}"
