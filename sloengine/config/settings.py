"""Settings: ``sloengine.yaml`` in the working directory, overridden by ``SLOENGINE_*`` variables (``__`` for nesting)."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, YamlConfigSettingsSource

from sloengine.config.yamlfile import Document, problems_of, read_documents
from sloengine.errors import ConfigError, Problem

SETTINGS_FILE = "sloengine.yaml"


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StoreSection(Section):
    url: str = "http://127.0.0.1:8123"
    database: str = Field(default="sloengine", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    user: str = "default"
    password: SecretStr = SecretStr("")


class EngineSection(Section):
    tick_s: float = Field(default=10.0, gt=0, le=300)
    """How often buckets are recomputed and SLOs judged."""
    insert_limit_s: float = Field(default=60.0, ge=0)
    """Longest time an insert may take to become visible: the watermark trails by this much."""
    resolve_after_s: float = Field(default=300.0, ge=0)
    """How long an alert must be quiet before it resolves."""
    delivery_timeout_s: float = Field(default=10.0, gt=0)


class WebSection(Section):
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    otlp_token: SecretStr | None = None
    """Bearer token that the OTLP door asks for; without one it answers only on loopback."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="SLOENGINE_", env_nested_delimiter="__", extra="forbid", frozen=True, yaml_file=SETTINGS_FILE
    )

    catalogue: Path = Path("catalogue")
    alerting: Path = Path("alerting.yaml")
    state_url: str = "sqlite:///.sloengine/state.db"
    public_url: str = "http://127.0.0.1:8080"
    """Where people reach the console; goes into alerts as a link."""
    cluster: str = "edge"
    store: StoreSection = StoreSection()
    engine: EngineSection = EngineSection()
    web: WebSection = WebSection()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls)


def load_settings() -> Settings:
    """Read the settings once.

    Raises:
        ConfigError: with every problem and its place.
    """
    path = Path(SETTINGS_FILE)
    document = next(iter(read_documents(path)), None) if path.exists() else None
    try:
        return Settings()
    except ValidationError as error:
        raise ConfigError(
            problems_of(error, document or Document.empty("settings (environment SLOENGINE_*)"))
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigError([Problem(SETTINGS_FILE, 1, str(error))]) from None
