"""Where problems of one document are collected, each with its line."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from sloengine.config.matchers import Mistakes, shown
from sloengine.config.yamlfile import Document
from sloengine.errors import Problem

Path_ = tuple[str | int, ...]
MESSAGE_MAX = 400


@dataclass(slots=True)
class Findings:
    """Problems of one document or of a part of it, in the order they were found."""

    document: Document
    root: Path_ = ()
    problems: list[Problem] = field(default_factory=list)
    wrong: str = ""
    """What is wrong with the document's shape. It is said already; what is left is read for its mistakes, and never used."""
    holes: frozenset[Path_] = frozenset()
    """Where the shape was wrong: what is missing there was not left out by the user."""

    def below(self, *path: str | int) -> Findings:
        """The same list, with paths counted from inside the document."""
        return replace(self, root=self.root + path)

    def apart(self, *path: str | int) -> Findings:
        """A list of its own for a part of the document."""
        return replace(self, root=self.root + path, problems=[])

    def error(self, message: str, *path: str | int) -> None:
        self._say(message, path, "error")

    def warn(self, message: str, *path: str | int) -> None:
        self._say(message, path, "warning")

    def refuse(self, error: ValueError, *path: str | int) -> None:
        """What a reader says of a value, each part of it at its line."""
        for inside, words in error.each if isinstance(error, Mistakes) else (((), str(error)),):
            self.error(words, *path, *inside)

    def _say(self, message: str, path: Path_, severity: str) -> None:
        place = self.root + path
        if not any(place == hole[:-1] or place[: len(hole)] == hole for hole in self.holes):
            self.problems.append(self.document.problem(message, place, severity))

    @property
    def errors(self) -> int:
        return sum(p.severity == "error" for p in self.problems)

    @property
    def place(self) -> str:
        """``file:line``."""
        return f"{self.document.file}:{self.document.line(self.root)}"

    @property
    def failed(self) -> bool:
        return bool(self.wrong) or self.errors > 0

    def reason(self) -> str:
        """The first error, in words."""
        return self.wrong or next((p.message for p in self.problems if p.severity == "error"), "")

    def soften(self) -> None:
        """What is wrong with something that is not acted on anyway is no error of this catalogue."""
        self.problems[:] = [replace(p, severity="warning") for p in self.problems]


def near(name: str, known: Iterable[str], what: str = "known") -> str:
    """The end of a sentence about an unknown name: the nearest ones, or all if they are few."""
    names = list(dict.fromkeys(known))
    close = [n for n in names if n.lower() == name.lower()] or get_close_matches(name, names, n=3, cutoff=0.6)
    if close:
        return "; did you mean " + " or ".join(f"'{shown(n)}'" for n in close) + "?"
    return f"; {what}: {', '.join(shown(n) for n in names)}" if 0 < len(names) <= 20 else ""


def documented(service: str, known: Collection[str], findings: Findings) -> None:
    """Says if some services have a Service document and this one has none; ``findings`` stands at the document."""
    if known and service not in known:
        said = f"service '{shown(service)}' has no Service document{near(service, sorted(known))}"
        findings.warn(said, "spec", "service")


def tidy(problem: Problem) -> Problem:
    """One line of bounded length: a message may quote what a hostile file holds."""
    words = " ".join(problem.message.split())
    words = "".join(c if c.isprintable() else "?" for c in words)
    return replace(problem, message=words if len(words) <= MESSAGE_MAX else words[: MESSAGE_MAX - 3] + "...")
