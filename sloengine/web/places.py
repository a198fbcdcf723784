"""Addresses of the console: where an SLO's page is, and which slice an address means. Pure."""

from __future__ import annotations

from urllib.parse import quote, unquote

from sloengine.model import Group

LINK_MAX = 2000
"""Longer addresses break in too many places; what has one is shown without a link."""


def slo_page(name: str, group: Group | None = None) -> str | None:
    """``/slo/digits-success?slice=model%3Dm%2Cregion%3Deu``; None if no address can hold it."""
    # Dots alone would be taken for a folder by whoever tidies addresses.
    if not name or name.strip(".") == "":
        return None
    address = f"/slo/{quote(name, safe='')}"
    if group:
        address += f"?slice={quote(slice_text(group), safe='')}"
    return address if len(address) <= LINK_MAX else None


def slice_text(group: Group) -> str:
    """``model=m,region=eu``, as commands take it; what would be taken for a separator is percent-encoded."""
    return ",".join(f"{_part(name)}={_part(value)}" for name, value in group)


def _part(text: str) -> str:
    return "".join(quote(c, safe="") if c in ",=%" else c for c in text)


def group_of(text: str) -> Group:
    """Back from :func:`slice_text`. Nonsense becomes a group that no slice is."""
    pairs = [part.partition("=") for part in text.split(",") if part]
    return tuple((unquote(name), unquote(value)) for name, _, value in pairs)
