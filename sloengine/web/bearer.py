"""Doors that write ask for a token."""

from __future__ import annotations

import hmac

NEEDED = "a bearer token is needed: Authorization: Bearer ..."


def admits(authorization: str, token: str | None) -> bool:
    """Whether a request with this header may pass: without a token every one may, as the door is then open on loopback only."""
    if token is None:
        return True
    scheme, _, shown = authorization.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), token.encode())
