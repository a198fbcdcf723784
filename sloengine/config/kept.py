"""What documents say that a catalogue has no use for: nothing acts on it, an export gives it back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sloengine.config import documents as docs
from sloengine.config.annotations import PREFIX
from sloengine.config.documents import Metadata
from sloengine.config.matchers import shown
from sloengine.errors import Problem

Place = tuple[str | int, ...]
USED = ("alertPolicies", "conditions", "notificationTargets")
"""Where other objects may stand in place."""
WORDS = ("displayName", "description", "labels", "annotations")
FREE = ("indicator", "thresholdMetric", "ratioMetric", "connectionDetails")
"""What is kept as it is, or may hold anything, nested as deep as anyone likes."""


@dataclass(frozen=True, slots=True)
class About:
    """A document's metadata beside its name."""

    display: str = ""
    labels: Mapping[str, str | list[str]] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Those of others: ours are part of what is promised."""
    description: str = ""

    def below(self, above: About) -> About:
        """With labels and annotations of the document that this is a part of."""
        labels, annotations = {**above.labels, **self.labels}, {**above.annotations, **self.annotations}
        return About(self.display, labels, annotations, self.description)


@dataclass(frozen=True, slots=True)
class Said:
    """What an SLO's document says beside the promise."""

    slo: About = About()
    indicator: About = About()
    objective: str = ""
    """Name of the only objective, where the SLO has one of its own."""


@dataclass(slots=True)
class Kept:
    """What an export needs beside the catalogue."""

    slos: dict[str, Said] = field(default_factory=dict)
    exclusions: dict[str, About] = field(default_factory=dict)
    monitors: dict[str, About] = field(default_factory=dict)
    services: list[docs.ServiceDocument] = field(default_factory=list)
    lost: list[Problem] = field(default_factory=list)
    """What documents say that an export has no place for and linting does not speak of."""


def about(metadata: Metadata, description: str = "") -> About:
    annotations = {k: v for k, v in metadata.annotations.items() if not k.startswith(PREFIX)}
    return About(metadata.display_name, metadata.labels, annotations, description)


def written_about(found: About) -> dict[str, Any]:
    """As metadata of a document."""
    given = {"displayName": found.display, "labels": dict(found.labels), "annotations": dict(found.annotations)}
    return {key: value for key, value in given.items() if value}


def words_lost(parsed: docs.AnyDocument, value: Any) -> Iterable[tuple[str, Place]]:
    """Texts of a document of which an export writes the meaning only, and where they stand; ``value`` is it as YAML."""
    named = f"{parsed.kind} '{shown(parsed.metadata.name)}'"
    whole = docs.SliDocument | docs.ServiceDocument | docs.ExclusionDocument | docs.DriftDocument
    kept_whole = isinstance(parsed, whole)
    if isinstance(parsed, docs.SloDocument):
        own = [o.display_name and o.weight is None for o in parsed.spec.objectives]
        if parsed.metadata.display_name and len(own) > 1 and all(own):
            yield f"displayName of {named}: each objective has its own", ("metadata", "displayName")
    elif not kept_whole:
        if parsed.metadata.display_name and not isinstance(parsed, docs.IndicatorsDocument):
            yield f"displayName of {named}", ("metadata", "displayName")
        if getattr(parsed.spec, "description", ""):
            yield f"description of {named}", ("spec", "description")
    if isinstance(parsed, docs.DataSourceDocument):
        yield f"{named}: each metric source says its type", ("metadata", "name")
    for key, path in inside(value):
        if key in ("displayName", "description") and value_at(value, path):
            yield f"{key} of what stands in place in {named}", path


def inside(value: Any, path: Place = (), within: bool = False) -> Iterator[tuple[str, Place]]:
    """Keys of metadata and descriptions of alert policies, conditions and targets that stand in another document."""
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from inside(item, (*path, i), within)
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        if key in FREE:
            continue
        if within and key in WORDS:
            yield key, (*path, key)
        else:
            yield from inside(item, (*path, key), within or key in USED)


def value_at(value: Any, path: Place) -> Any:
    for key in path:
        value = value[key]
    return value
