"""Signed requests: HMAC-SHA256 of ``id.timestamp.body``, as the Standard Webhooks specification and MLflow's webhooks have it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

VERSION = "v1"
_PACKED = "whsec_"
"""Before a secret that is base64, in Standard Webhooks; any other one is its own bytes, as in MLflow."""


def key_of(secret: str) -> bytes:
    """
    Raises:
        ValueError: the secret says that it is base64 and is not.
    """
    text = secret.strip()
    if not text.startswith(_PACKED):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix(_PACKED), validate=True)
    except binascii.Error:
        raise ValueError(f"a secret that begins with {_PACKED} goes on as base64") from None


def signature(key: bytes, identity: str, timestamp: str, body: bytes) -> str:
    """What a sender puts beside a request: ``v1,<base64>``."""
    digest = hmac.new(key, f"{identity}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"{VERSION},{base64.b64encode(digest).decode()}"


def signed_headers(key: bytes, identity: str, timestamp: str, body: bytes) -> dict[str, str]:
    """Standard Webhooks' headers of a request."""
    return {
        "webhook-id": identity,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature(key, identity, timestamp, body),
    }


def is_signed(shown: str, key: bytes, identity: str, timestamp: str, body: bytes) -> bool:
    """Whether one of the signatures that are shown, apart by spaces, is right: there are two while a secret is being changed."""
    right = signature(key, identity, timestamp, body).encode()
    # In constant time: an answer that comes sooner would tell how far a guess was right.
    return any(hmac.compare_digest(one.encode(), right) for one in shown.split(" "))
