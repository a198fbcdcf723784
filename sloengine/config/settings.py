"""Settings: ``sloengine.yaml`` in the working directory, overridden by ``SLOENGINE_*`` variables (``__`` for nesting)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from sloengine.config.words import DATABASE, words
from sloengine.config.yamlfile import Document, known_keys, plain, problem_of, problems_of, read_documents
from sloengine.errors import ConfigError, Problem

SETTINGS_FILE = "sloengine.yaml"
PREFIX, NESTED = "SLOENGINE_", "__"
ENVIRONMENT = "environment"
"""Where a problem is that no file holds."""
OTHERS = frozenset(
    re.findall(
        r"\w+",
        """
        BUFFER_BYTES BUFFER_DIR CLAMP_FUTURE CLAMP_PAST DATABASE GATEWAY_ID GATEWAY_METRICS GATEWAY_REGION GATEWAY_TOKEN
        HEALTH HOST_INTERVAL HOST_ROOT INGEST_PASSWORD INGEST_USER LOG_FILES MEMORY_MIB OTLP_GRPC OTLP_HTTP REMOTE_WRITE
        RETRY_MAX SCRAPE_FILES SPAN_METRICS_INTERVAL SPAN_PERCENT STORE_COMPRESS STORE_URL TAIL_PERCENT TAIL_SLOW_MS
        TAIL_TRACES TAIL_WAIT STORE_ADMIN_PASSWORD STORE_INGEST_PASSWORD STORE_READER_PASSWORD GRAFANA_STORE_HOST
        GRAFANA_STORE_PASSWORD GRAFANA_STORE_PORT GRAFANA_STORE_USER
        """,
    )
)
"""Variables with our prefix that gateways, the embedded store and Grafana read: an engine beside them must not mind."""
NEAR = 0.8


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StoreSection(Section):
    url: str = Field(default="http://127.0.0.1:8123", repr=False)
    database: str = Field(default="sloengine", pattern=DATABASE)
    user: str = "default"
    password: SecretStr = SecretStr("")
    reader_user: str = ""
    """Who runs queries of users' own (SQL measures); without one they run as ``user`` with readonly = 1."""
    reader_password: SecretStr = SecretStr("")


class EngineSection(Section):
    tick_s: float = Field(default=10.0, gt=0, le=300)
    """How often buckets are recomputed and SLOs judged."""
    insert_limit_s: float = Field(default=60.0, ge=0)
    """Longest time an insert may take to become visible: the watermark trails by this much."""
    history_s: float = Field(default=2.0, ge=0)
    """How much of each tick may go into counting history anew when the catalogue asks for something new."""
    sums_max: int = Field(default=2_000_000, ge=1000)
    """Sums per key and band of time that a tick reads and keeps, about 140 bytes each; what is too much is not judged."""
    resolve_after_s: float = Field(default=300.0, ge=0)
    """How long an alert must be quiet before it resolves."""
    lease_s: float | None = Field(default=None, gt=0)
    """How long an engine that died keeps its replica or successor from changing alerts; 1.5 ticks, at least 5 s, if not set."""
    delivery_timeout_s: float = Field(default=10.0, gt=0)


class WebSection(Section):
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    otlp_token: SecretStr | None = None
    """Bearer token that the OTLP door asks for; without one it answers only on loopback."""
    mlflow_secret: SecretStr | None = None
    """What MLflow signs its registry webhooks with; without one there is no door for them."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter=NESTED, extra="forbid", frozen=True)

    catalogue: Path = Path("catalogue")
    alerting: Path = Path("alerting.yaml")
    exports: Path = Path(".sloengine/exports")
    """Folder for telemetry that is handed on, as Parquet: one folder in it for each export."""
    state_url: str = Field(default="sqlite:///.sloengine/state.db", repr=False)
    """Not in its repr, like every address here: it may hold a password."""
    public_url: str = "http://127.0.0.1:8080"
    """Where people reach the console; goes into alerts as a link."""
    grafana_url: str = ""
    """Where people reach Grafana; without it alerts name a dashboard by its path alone."""
    cluster: str = "edge"
    store: StoreSection = StoreSection()
    engine: EngineSection = EngineSection()
    web: WebSection = WebSection()


class _OfFile(Settings):
    """Settings whose arguments come from the file, so that the environment goes over them."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


class _FileAlone(Settings):
    """Settings of a file, whatever the environment says: what is wrong with it is wrong everywhere."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def check_settings(document: Document) -> list[Problem]:
    """What is wrong with a settings file."""
    try:
        _FileAlone(**plain(document.value))
    except ValidationError as error:
        return problems_of(error, document, Settings)
    return []


def load_settings() -> Settings:
    """Read the settings once.

    Raises:
        ConfigError: with every problem and its place, which is a line of the file or the name of a variable.
    """
    document = _read_file(Path(SETTINGS_FILE))
    try:
        environment = EnvSettingsSource(Settings)()
    except SettingsError:
        raise ConfigError([Problem(ENVIRONMENT, 1, _not_json())]) from None
    problems = list(_strangers(os.environ))
    try:
        found = _OfFile(**plain(document.value))
    except ValidationError as error:
        problems += [_problem(item, document, environment) for item in error.errors()]
        raise ConfigError(problems) from None
    if problems:
        raise ConfigError(problems)
    return found


def variables() -> dict[str, FieldInfo]:
    """Every variable that a setting is read from, with the setting."""
    found: dict[str, FieldInfo] = {}
    for name, field in Settings.model_fields.items():
        if _is_section(field.annotation):
            parts: Any = field.annotation
            found |= {f"{PREFIX}{name}{NESTED}{part}".upper(): f for part, f in parts.model_fields.items()}
        else:
            found[f"{PREFIX}{name}".upper()] = field
    return found


def _strangers(environment: Iterable[str]) -> Iterator[Problem]:
    """Variables that nobody reads and that look like one that somebody does: left alone, a mistyped setting would be its default.

    Any other variable may be somebody's own.
    """
    known = {name.removeprefix(PREFIX) for name in variables()} | OTHERS
    sections = tuple(name.upper() for name, field in Settings.model_fields.items() if _is_section(field.annotation))
    for variable in sorted(environment):
        name = variable.upper().removeprefix(PREFIX)
        ours = name in known or name in sections or name.startswith(tuple(f"{s}{NESTED}" for s in sections))
        if ours or not variable.upper().startswith(PREFIX):
            continue
        if near := get_close_matches(name, sorted(known), n=1, cutoff=NEAR):
            yield Problem(ENVIRONMENT, 1, f"unknown variable '{variable}'; did you mean '{PREFIX}{near[0]}'?")


def _read_file(path: Path) -> Document:
    documents = read_documents(path) if path.exists() else []
    document = documents[0] if documents else Document.empty(SETTINGS_FILE)
    if len(documents) > 1:
        raise ConfigError([documents[1].problem(f"expected one YAML document, found {len(documents)}")])
    if not isinstance(document.value, dict):
        raise ConfigError([document.problem("expected a mapping of settings")])
    return document


def _not_json() -> str:
    """A whole section may stand in one variable, as JSON."""
    whole = {PREFIX + name.upper() for name, field in Settings.model_fields.items() if _is_section(field.annotation)}
    found = ", ".join(sorted(v for v in os.environ if v.upper() in whole))
    return f"{found}: must be a JSON object; or set its parts, such as {PREFIX}STORE{NESTED}URL"


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section)


def _problem(item: Any, document: Document, environment: Mapping[str, Any]) -> Problem:
    path = [str(part) for part in item["loc"]]
    if not _holds(environment, path):
        return problem_of(item, document, Settings)
    variable = PREFIX + NESTED.join(path).upper()
    if item["type"] != "extra_forbidden":
        return Problem(ENVIRONMENT, 1, f"{variable}: {words(item)}")
    near = get_close_matches(path[-1], known_keys(Settings), n=1)
    hint = f"; did you mean '{PREFIX + NESTED.join([*path[:-1], near[0]]).upper()}'?" if near else ""
    return Problem(ENVIRONMENT, 1, f"unknown setting '{variable}'{hint}")


def _holds(values: Any, path: list[str]) -> bool:
    for part in path:
        if not isinstance(values, Mapping) or part not in values:
            return False
        values = values[part]
    return bool(path)
