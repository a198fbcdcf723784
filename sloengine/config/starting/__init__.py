"""The files that ``sloengine init`` writes."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from sloengine.errors import ConfigError, Problem

FILES = ("sloengine.yaml", "alerting.yaml", "catalogue/indicators.yaml", "catalogue/fleet.yaml")


def write_starting(folder: Path) -> list[Path]:
    """Write them below a folder.

    Raises:
        ConfigError: one of them is there already, or the folder can't be written; nothing is written then.
    """
    there = [folder / name for name in FILES if (folder / name).exists()]
    if there:
        raise ConfigError([Problem(str(path), 1, "is there already; nothing was written") for path in there])
    written = []
    for name in FILES:
        text = resources.files(__name__).joinpath(*name.split("/")).read_text(encoding="utf-8")
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConfigError([Problem(str(path), 1, f"can't be written: {error.strerror}")]) from None
        written.append(path)
    return written
