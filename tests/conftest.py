"""Order: what takes minutes begins first, so that workers that run tests side by side end together."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: (item.get_closest_marker("long") is None, item.path.parent.name != "engine"))
