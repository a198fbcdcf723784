"""What the settings of all targets have in common: secrets, Alertmanager's keys that are not acted on, and how HTTP is spoken."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from sloengine.alert.notification import Notification
from sloengine.config.documents import Strict
from sloengine.errors import DeliveryError

TEMPLATE = "{{"
TEXTS = "texts are sloengine's own, and templates are not filled in"
_LOADED = "TLS and proxies are the engine's own"


class Secretive(Strict):
    """Settings with secrets. Each secret has three keys: ``name`` (in the file itself), ``name_file`` and ``name_env``."""

    SECRETS: ClassVar[tuple[str, ...]] = ()
    PLAIN: ClassVar[tuple[str, ...]] = ()
    """Those of them that are secret only sometimes: nobody is warned of one that stands in the file."""
    NEEDED: ClassVar[tuple[str, ...]] = ()
    """Those of them without which nothing can be sent."""
    IGNORED: ClassVar[Mapping[str, str]] = {}
    """Keys of Alertmanager's that are taken and not acted on, each with why."""

    @model_validator(mode="before")
    @classmethod
    def _without_ignored(cls, given: Any) -> Any:
        """Existing files load: what is not acted on is left out, and :func:`warnings_of` names it."""
        if not isinstance(given, Mapping):
            return given
        return {key: _filled_in(value) for key, value in given.items() if not _unheeded(cls, key, value)}

    @model_validator(mode="after")
    def _each_secret_once(self) -> Self:
        for name in self.SECRETS:
            given = [key for key in keys_of(name) if getattr(self, key, None) is not None]
            if len(given) > 1:
                raise ValueError(f"{' and '.join(given)} say the same: keep one")
            if not given and name in self.NEEDED:
                raise ValueError(f"one of {', '.join(keys_of(name))} is needed")
        return self

    def read_secret(self, name: str) -> str:
        """A secret's value, read anew each time so that it can be changed under a running engine; empty if it is not set.

        Raises:
            DeliveryError: its file can't be read, its variable is not set, or it is empty; retryable, because that can change.
        """
        inline, file, variable = (getattr(self, key, None) for key in keys_of(name))
        if inline is not None:
            return str(inline.get_secret_value())
        if file is not None:
            return _of_file(f"{name}_file", file)
        if variable is not None:
            return _of_environment(f"{name}_env", variable)
        return ""


def keys_of(name: str) -> tuple[str, str, str]:
    return name, f"{name}_file", f"{name}_env"


def _of_file(key: str, file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        # Of a file that is no UTF-8 the error's own words would show what is in it.
        words = f"{file} is not text" if isinstance(error, ValueError) else str(error)
        raise DeliveryError(f"{key}: {words}", retryable=True) from None
    if not text:
        raise DeliveryError(f"{key}: {file} is empty", retryable=True)
    return text


def _of_environment(key: str, variable: str) -> str:
    text = os.environ.get(variable, "").strip()
    if not text:
        raise DeliveryError(f"{key}: {variable} is not set", retryable=True)
    return text


def _filled_in(value: Any) -> Any:
    """Of a map of texts those that are none of templates."""
    if not isinstance(value, Mapping):
        return value
    return {key: text for key, text in value.items() if not (isinstance(text, str) and TEMPLATE in text)}


def _unheeded(model: type[Secretive], key: str, value: object) -> bool:
    known = {field.alias or name for name, field in model.model_fields.items()} - set(model.SECRETS)
    return key in model.IGNORED or (key in known and isinstance(value, str) and TEMPLATE in value)


def warnings_of(model: type[BaseModel], given: object) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What loads and is not as its author may think, of a document's own values: (path inside them, words)."""
    if not isinstance(given, Mapping):
        return
    for key, value in given.items():
        if issubclass(model, Secretive):
            yield from _warnings_of_key(model, str(key), value)
        for inner in _models_of(model, str(key)):
            yield from ((((str(key), *path)), words) for path, words in warnings_of(inner, value))


def _warnings_of_key(model: type[Secretive], key: str, value: object) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if key in model.SECRETS and key not in model.PLAIN:
        others = [name for name in keys_of(key)[1:] if name in model.model_fields]
        yield (key,), f"{key} holds a secret in the file itself; {' or '.join(others)} keeps it out"
    elif key in model.IGNORED:
        yield (key,), f"{key} is not acted on: {model.IGNORED[key]}"
    elif _unheeded(model, key, value):
        yield (key,), f"{key} is not acted on: {TEXTS}"
    elif isinstance(value, Mapping) and not _models_of(model, key):
        yield from (
            ((key, name), f"{key}.{name} is not acted on: {TEXTS}") for name in value.keys() - _filled_in(value).keys()
        )


def _models_of(model: type[BaseModel], key: str) -> list[type[BaseModel]]:
    field = model.model_fields.get(key)
    kinds = [field.annotation, *getattr(field.annotation, "__args__", ())] if field else []
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]


def files_of(config: BaseModel) -> Iterator[tuple[tuple[str, ...], Path]]:
    """Files that settings name, with their paths: whoever loads them can say at once which are not there."""
    for key in type(config).model_fields:
        value = getattr(config, key)
        if isinstance(value, BaseModel):
            yield from (((key, *path), file) for path, file in files_of(value))
        elif isinstance(value, Path):
            yield (key,), value


class TargetConfig(Secretive):
    send_resolved: bool = True

    def told(self, notification: Notification) -> Notification | None:
        """What of a notification this target is told; None: nothing."""
        if self.send_resolved:
            return notification
        return replace(notification, alerts=notification.firing) if notification.firing else None


class BasicAuth(Secretive):
    SECRETS = ("password",)
    username: str = Field(min_length=1)
    password: SecretStr | None = None
    password_file: Path | None = None
    password_env: str | None = None


class Authorization(Secretive):
    SECRETS = ("credentials",)
    NEEDED = ("credentials",)
    type: str = "Bearer"
    credentials: SecretStr | None = None
    credentials_file: Path | None = None
    credentials_env: str | None = None


class HttpConfig(Secretive):
    """Alertmanager's ``http_config``."""

    SECRETS = ("bearer_token",)
    IGNORED: ClassVar[Mapping[str, str]] = {
        "follow_redirects": "a redirect is a refusal, or a page would go where nobody configured it",
        "enable_http2": _LOADED,
        "tls_config": _LOADED,
        "proxy_url": _LOADED,
        "no_proxy": _LOADED,
        "proxy_from_environment": _LOADED,
        "proxy_connect_header": _LOADED,
    }
    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    bearer_token: SecretStr | None = None
    bearer_token_file: Path | None = None
    bearer_token_env: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [key for key in ("basic_auth", "authorization") if getattr(self, key) is not None]
        given += [key for key in keys_of("bearer_token") if getattr(self, key) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)}: a request can show one of them")
        return self
