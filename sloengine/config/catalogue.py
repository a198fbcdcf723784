"""The catalogue: a folder of YAML that becomes SLOs, monitors, inventory, exclusions, and a list of everything wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from sloengine.config.findings import tidy
from sloengine.config.kept import Kept
from sloengine.config.policies import load_policies
from sloengine.config.reading import CatalogueReader
from sloengine.config.yamlfile import read_documents
from sloengine.errors import ConfigError, Problem
from sloengine.model import Catalogue

Places = Mapping[str, Mapping[str, str]]
"""By SLO and text, the ``file:line``."""
__all__ = ["catalogue_to_ask_about", "catalogue_to_export", "check_catalogue", "load_catalogue", "load_policies"]


def load_catalogue(folder: Path) -> Catalogue:
    """Read a catalogue that is about to be used. What is wrong with single documents is in ``broken`` and stays visible.

    Raises:
        ConfigError: no such folder; a file that can't be read or is not YAML, because nobody knows what it promised;
            or errors and nothing that could be used. With every problem of the catalogue.
    """
    if not folder.exists():
        hint = "no such folder; it holds the SLOs: 'sloengine init' writes a start, SLOENGINE_CATALOGUE names another"
        raise ConfigError([Problem(str(folder), 1, hint)])
    reader = _read([folder])
    errors = [p for p in reader.problems() if p.severity == "error"]
    catalogue = reader.catalogue()
    if reader.unreadable or (errors and not catalogue.slos and not catalogue.monitors):
        raise ConfigError(errors)
    return catalogue


def check_catalogue(paths: Iterable[Path]) -> tuple[Catalogue, list[Problem]]:
    """Read what can be read and list what is wrong, errors and warnings, by file and line.

    Raises:
        FileNotFoundError: one of the paths.
    """
    reader = _read(paths)
    return reader.catalogue(), reader.problems()


def catalogue_to_ask_about(paths: Iterable[Path]) -> tuple[Catalogue, Places, list[Problem]]:
    """As :func:`check_catalogue`, with the place of everything that an SLO's documents say.

    Raises:
        FileNotFoundError: one of the paths.
    """
    reader = _read(paths)
    return reader.catalogue(), reader.places(), reader.problems()


def catalogue_to_export(paths: Iterable[Path]) -> tuple[Catalogue, Kept, list[Problem]]:
    """As :func:`check_catalogue`, with what documents say beside what is promised.

    Raises:
        FileNotFoundError: one of the paths.
    """
    reader = _read(paths)
    kept = reader.kept()
    problems = sorted([*reader.problems(), *kept.lost], key=lambda p: (p.file, p.line))
    return reader.catalogue(), kept, problems


def _read(paths: Iterable[Path]) -> CatalogueReader:
    reader = CatalogueReader()
    done: set[Path] = set()
    for path in paths:
        files = _yaml_files(path)
        if not files:
            reader.say(Problem(str(path), 1, "holds no .yaml or .yml file", "warning"))
        for file in files:
            if file.resolve() not in done:
                done.add(file.resolve())
                _read_file(file, reader)
    reader.build()
    return reader


def _read_file(file: Path, reader: CatalogueReader) -> None:
    try:
        documents = read_documents(file)
    except ConfigError as error:
        reader.refuse([tidy(p) for p in error.problems])
        return
    if not documents:
        reader.say(Problem(str(file), 1, "holds no document", "warning"))
    for document in documents:
        reader.take(document)


def _yaml_files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml") and not p.is_dir())
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    return [path]
