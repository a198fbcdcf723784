"""Calls of hooks: what they say, and how they are sent: signed, with a key by which a repeated call is recognised."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx

from sloengine.errors import DeliveryError
from sloengine.notify.http import JSON, KEY, Request, post, secrets_of
from sloengine.signing import key_of, signed_headers

PREFIX = "hook/"
"""Of the names of targets in the outbox that are hooks, before the hook's own."""


def target_of(hook: str) -> str:
    return PREFIX + hook


@dataclass(frozen=True, slots=True)
class Signed:
    """Whose call it is, and when it is made: receivers refuse one that is old."""

    idempotency_key: str
    at: datetime
    secret_file: Path | None


def call(client: httpx.Client, url: str, body: bytes, by: Signed) -> None:
    """Call once, with Standard Webhooks' headers.

    Raises:
        DeliveryError: as :func:`sloengine.notify.http.post` does; retryable too if the secret can't be read now.
    """
    stamp = str(int(by.at.timestamp()))
    headers = {**JSON, KEY: by.idempotency_key, "webhook-id": by.idempotency_key, "webhook-timestamp": stamp}
    if by.secret_file is not None:
        headers |= signed_headers(_key(by.secret_file), by.idempotency_key, stamp, body)
    post(client, Request(url, body, headers, secrets=secrets_of(url)))


def _key(file: Path) -> bytes:
    """Read anew for each call, so that a secret can be changed under a running engine."""
    try:
        return key_of(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        # Its words hold the file's name, never what is in it.
        raise DeliveryError(f"the hook's secret_file: {error}", retryable=True) from error
