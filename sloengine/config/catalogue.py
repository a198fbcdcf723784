"""The catalogue: a folder of YAML that becomes SLOs and the inventory, or a list of everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from importlib import resources
from pathlib import Path

from pydantic import ValidationError
from ruamel.yaml import YAML

from sloengine.config.documents import (
    ANNOTATIONS,
    AVAILABLE_INDICATORS,
    DOCUMENTS,
    OPENSLO_KINDS,
    InventoryDocument,
    Objective,
    SloDocument,
)
from sloengine.config.routing import is_alerting, read_alerting
from sloengine.config.yamlfile import Document, plain, problems_of, read_documents
from sloengine.errors import ConfigError, Problem
from sloengine.model import DIMENSIONS, BurnPolicy, BurnWindow, Catalogue, Node, Severity, Slo
from sloengine.times import format_duration, parse_duration, utc

MAX_WINDOW = timedelta(days=400)
"""How long the bucket tables keep their minutes (migration 0008); a longer promise would be judged on a part of itself."""


def load_catalogue(folder: Path) -> Catalogue:
    """Read a catalogue that is about to be used.

    Raises:
        ConfigError: any error in any file, or no such folder.
    """
    if not folder.exists():
        hint = "no such folder; it holds the SLOs and the inventory (SLOENGINE_CATALOGUE names another)"
        raise ConfigError([Problem(str(folder), 1, hint)])
    catalogue, problems = check_catalogue([folder])
    errors = [p for p in problems if p.severity == "error"]
    if errors:
        raise ConfigError(errors)
    return catalogue


def check_catalogue(paths: Iterable[Path]) -> tuple[Catalogue, list[Problem]]:
    """Read what can be read and list what is wrong, errors and warnings, in file order."""
    reader = _Reader(load_policies())
    done: set[Path] = set()
    for path in paths:
        files = _yaml_files(path)
        if not files:
            reader.problems.append(Problem(str(path), 1, "holds no .yaml or .yml file", "warning"))
        for file in files:
            if file.resolve() not in done:
                done.add(file.resolve())
                reader.read(file)
    return Catalogue(tuple(reader.slos), tuple(reader.nodes)), reader.problems


def _yaml_files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml"))
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    return [path]


def load_policies() -> dict[str, BurnPolicy]:
    """The burn policies that ship with sloengine, as data."""
    text = resources.files("sloengine.config").joinpath("burn_policies.yaml").read_text(encoding="utf-8")
    return {
        name: BurnPolicy(
            name,
            tuple(
                BurnWindow(
                    Severity(row["severity"]),
                    parse_duration(row["long"]),
                    parse_duration(row["short"]),
                    row["budget_share"],
                )
                for row in rows
            ),
        )
        for name, rows in YAML(typ="safe").load(text).items()
    }


def _ratio(percent: float) -> float:
    """99.9 → 0.999, the number that a person would write; 99.9 / 100 is 0.9990000000000001."""
    return float(Decimal(repr(float(percent))) / 100)


class _Reader:
    """Collects documents and findings over all files, because names must be unique over all of them."""

    def __init__(self, policies: dict[str, BurnPolicy]) -> None:
        self.policies = policies
        self.slos: list[Slo] = []
        self.nodes: list[Node] = []
        self.problems: list[Problem] = []
        self._places: dict[tuple[str, str], str] = {}

    def read(self, file: Path) -> None:
        try:
            documents = read_documents(file)
        except ConfigError as error:
            self.problems.extend(error.problems)
            return
        if not documents:
            self.problems.append(Problem(str(file), 1, "holds no document", "warning"))
        for document in documents:
            self._take(document)

    def _take(self, document: Document) -> None:
        if not isinstance(document.value, dict):
            self.problems.append(document.problem("expected a mapping with apiVersion and kind"))
            return
        if is_alerting(document):
            self._routing(document)
            return
        kind = (str(document.value.get("apiVersion")), str(document.value.get("kind")))
        if kind[0] == "openslo/v1" and kind[1] in OPENSLO_KINDS:
            self.problems.append(document.problem(f"OpenSLO {kind[1]} is valid but not acted on", ("kind",), "warning"))
            return
        shape = DOCUMENTS.get(kind)
        if shape is None:
            known = ", ".join(f"{v} {k}" for v, k in DOCUMENTS)
            self.problems.append(
                document.problem(f"unknown apiVersion/kind '{kind[0]}' '{kind[1]}'; known: {known}", ("kind",))
            )
            return
        try:
            parsed = shape.model_validate(plain(document.value))
        except ValidationError as error:
            self.problems.extend(problems_of(error, document, shape))
            return
        self._unique(document, kind[1], parsed.metadata.name)
        if isinstance(parsed, SloDocument):
            self._slo(document, parsed)
        else:
            self._inventory(document, parsed)

    def _routing(self, document: Document) -> None:
        """Routing beside the catalogue is checked with it, though not used from there."""
        try:
            read_alerting(document)
        except ConfigError as error:
            self.problems.extend(error.problems)

    def _unique(self, document: Document, kind: str, name: str) -> None:
        place = self._places.get((kind, name))
        if place:
            self.problems.append(
                document.problem(f"{kind} '{name}' is defined already at {place}", ("metadata", "name"))
            )
        self._places.setdefault((kind, name), f"{document.file}:{document.line()}")

    def _slo(self, document: Document, parsed: SloDocument) -> None:
        found = _SloReader(document, parsed, self.policies)
        slo = found.build()
        self.problems.extend(found.problems)
        if slo:
            self.slos.append(slo)

    def _inventory(self, document: Document, parsed: InventoryDocument) -> None:
        for index, node in enumerate(parsed.spec.nodes):
            key = ("node", f"{parsed.spec.service}/{node.device}")
            path = ("spec", "nodes", index)
            place = self._places.get(key)
            if place:
                self.problems.append(document.problem(f"node '{node.device}' is listed already at {place}", path))
            self._places.setdefault(key, f"{document.file}:{document.line(path)}")
            since = utc(node.since or parsed.spec.since)
            self.nodes.append(Node(node.device, node.gateway, node.region, parsed.spec.service, since))


class _SloReader:
    """Meaning of one SLO document: everything that a schema can't say."""

    def __init__(self, document: Document, parsed: SloDocument, policies: dict[str, BurnPolicy]) -> None:
        self.document, self.parsed, self.spec, self.policies = document, parsed, parsed.spec, policies
        self.problems: list[Problem] = []

    def _error(self, message: str, *path: str | int) -> None:
        self.problems.append(self.document.problem(message, path))

    def _warn(self, message: str, *path: str | int) -> None:
        self.problems.append(self.document.problem(message, path, "warning"))

    def build(self) -> Slo | None:
        window, target, policy = self._window(), self._target(), self._policy()
        threshold, by = self._threshold(), self._by()
        self._annotations()
        if target is not None and policy is not None and window is not None:
            self._reachable(policy, target, window)
        if window is None or target is None or policy is None or any(p.severity == "error" for p in self.problems):
            return None
        metadata = self.parsed.metadata
        return Slo(
            name=metadata.name,
            display_name=metadata.display_name or metadata.name,
            description=self.spec.description,
            service=self.spec.service,
            indicator=self.spec.indicator_ref,
            target=target,
            window=window,
            by=by,
            where={},
            policy=policy,
            threshold_s=threshold,
            owner=metadata.annotations.get("sloengine.dev/owner"),
            runbook=metadata.annotations.get("sloengine.dev/runbook"),
            source=f"{self.document.file}:{self.document.line()}",
        )

    def _window(self) -> timedelta | None:
        declared = self.spec.time_window[0]
        if not declared.is_rolling:
            self._error("calendar windows are not supported yet: set isRolling: true", "spec", "timeWindow", 0)
        window, said = None, f"window '{declared.duration}' is longer than {format_duration(MAX_WINDOW)}"
        try:
            window = parse_duration(declared.duration)
        except OverflowError:
            pass
        except ValueError as error:
            said = str(error)
        if window and window <= MAX_WINDOW:
            return window
        self._error(said, "spec", "timeWindow", 0, "duration")
        return None

    def _target(self) -> float | None:
        objective = self.spec.objectives[0]
        if len(self.spec.objectives) > 1:
            self._error("several objectives in one SLO are not supported yet: write one SLO each", "spec", "objectives")
        target = self._target_of(objective)
        if target is None:
            return None
        if not 0 < target < 1:
            hint = "; 1 leaves no budget to measure" if target == 1 else "; targets are ratios, such as 0.999"
            self._error(f"target {target:g} must lie between 0 and 1{hint}", "spec", "objectives", 0)
            return None
        return target

    def _target_of(self, objective: Objective) -> float | None:
        if (objective.target is None) == (objective.target_percent is None):
            self._error("give exactly one of target and targetPercent", "spec", "objectives", 0)
            return None
        return objective.target if objective.target is not None else _ratio(objective.target_percent or 0.0)

    def _threshold(self) -> float | None:
        indicator, objective = self.spec.indicator_ref, self.spec.objectives[0]
        if indicator not in AVAILABLE_INDICATORS:
            self._error(
                f"unknown indicator '{indicator}'; known: {', '.join(AVAILABLE_INDICATORS)}", "spec", "indicatorRef"
            )
        if self.spec.budgeting_method != "Occurrences":
            self._error("only budgetingMethod: Occurrences is supported yet", "spec", "budgetingMethod")
        if indicator != "M2":
            return None
        if objective.value is None or objective.value <= 0 or objective.op not in ("lte", "lt"):
            self._error("M2 needs 'op: lte' and 'value', the latency in seconds that is good", "spec", "objectives", 0)
            return None
        return objective.value

    def _by(self) -> tuple[str, ...]:
        text = self.parsed.metadata.annotations.get("sloengine.dev/by", "")
        names = tuple(part.strip() for part in text.split(",") if part.strip())
        path = ("metadata", "annotations", "sloengine.dev/by")
        for name in names:
            if name not in DIMENSIONS:
                self._error(f"unknown dimension '{name}'; known: {', '.join(DIMENSIONS)}", *path)
        for name in sorted({name for name in names if names.count(name) > 1}):
            self._error(f"dimension '{name}' is given twice", *path)
        if self.spec.indicator_ref == "M4" and {"model", "version", "rollout"} & set(names):
            self._error("M4 is about nodes: it can be told apart by service, region and gateway only", *path)
        return names

    def _policy(self) -> BurnPolicy | None:
        names = self.spec.alert_policies or ["sre-workbook"]
        if len(names) > 1:
            self._error("one alert policy per SLO is supported yet", "spec", "alertPolicies")
        policy = self.policies.get(names[0])
        if policy is None:
            known = ", ".join(self.policies)
            self._error(f"unknown alert policy '{names[0]}'; known: {known}", "spec", "alertPolicies", 0)
        return policy

    def _annotations(self) -> None:
        annotations = self.parsed.metadata.annotations
        for key in annotations:
            if key.startswith("sloengine.dev/") and key not in ANNOTATIONS:
                known = ", ".join(ANNOTATIONS)
                self._error(f"unknown annotation '{key}'; known: {known}", "metadata", "annotations", key)
        for key in ("sloengine.dev/owner", "sloengine.dev/runbook"):
            if key not in annotations:
                self._warn(f"no {key}: an alert nobody can act on is a defect", "metadata")

    def _reachable(self, policy: BurnPolicy, target: float, window: timedelta) -> None:
        for pair in policy.windows:
            factor = pair.factor(window)
            where = f"policy '{policy.name}', window {format_duration(pair.long)}"
            if pair.long > window:
                self._error(f"{where}: longer than the SLO's window {format_duration(window)}", "spec", "timeWindow")
            elif factor >= 1 / (1 - target):
                most = 1 / (1 - target)
                self._error(
                    f"{where}: burn rate {factor:g} can't be reached, at target {target:g} it is at most {most:g}",
                    "spec",
                    "objectives",
                    0,
                )
