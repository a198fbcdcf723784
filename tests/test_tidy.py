"""House rules, executable. They read the tree; none of them runs the product."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sloengine"
TOP = {
    *("pyproject.toml", "Makefile", "README.md", "CHANGELOG.md", "LICENSE", "constraints.txt"),
    *("sloengine", "dashboards", "collector", "tests", "deploy", "docs"),
}
LINES_MAX = 500
PURE = ("model.py", "monitor.py", "marked.py", "times.py", "errors.py", "recurrence.py", "evaluate", "alert", "rollup")
OF_STAGES = {
    "sloengine.model",
    "sloengine.monitor",
    "sloengine.marked",
    "sloengine.times",
    "sloengine.errors",
    "sloengine.recurrence",
}
ARITHMETIC = {"numpy", "scipy"}
"""What pure rooms may calculate with: values in, values out."""
ONLY_IN = {
    "apscheduler": ("schedule.py",),
    "clickhouse_connect": ("store/client.py",),
    "chdb": ("embedded",),
    "sqlalchemy": ("state", "jobs"),
    "typer": ("cli.py", "cli_slices.py", "cli_drift.py", "cli_alerts.py"),
    "httpx": ("actions", "app.py", "jobs", "notify", "gameday"),
}
CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
MAY_READ_CLOCKS = ("app.py", "cli.py", "jobs", "gameday", "edge")
"""The engine's edges, and the device library, whose work is to say when something happened."""
VAGUE = {"utils", "util", "helpers", "helper", "common", "core", "manager", "managers", "misc"}


def modules(*rooms: str) -> list[Path]:
    """Python files of the package, or of some of its rooms."""
    starts = [PACKAGE / room for room in rooms] or [PACKAGE]
    return sorted(p for s in starts for p in ([s] if s.is_file() else s.rglob("*.py")))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def is_in(path: Path, rooms: tuple[str, ...]) -> bool:
    return any(name_of(path) == room or name_of(path).startswith(f"{room}/") for room in rooms)


def imports(path: Path) -> Iterator[str]:
    """Absolute names of everything imported, also inside functions."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = ["sloengine", *path.relative_to(PACKAGE).parts[:-1]]
            base = package[: len(package) - node.level + 1] if node.level else []
            whole = ".".join([*base, *([node.module] if node.module else [])])
            # `from sloengine import jobs` names a module, `from sloengine.jobs import tick` a thing in it.
            yield from (f"{whole}.{alias.name}" if whole == "sloengine" else whole for alias in node.names)


def names_in(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything mentioned, seen through `from x import y as z`."""
    renamed = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute | ast.Name):
            first, _, rest = ast.unparse(node).partition(".")
            yield node.lineno, ".".join(filter(None, [renamed.get(first, first), rest]))


def clock_reads(path: Path) -> list[str]:
    found = ((line, name.removeprefix("datetime.")) for line, name in names_in(path))
    return [f"{name_of(path)}:{line}: {name}" for line, name in found if name in CLOCKS]


@cache
def tracked() -> tuple[str, ...]:
    """What is in the repository or about to be; what is ignored is not."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip("not a git checkout")
    return tuple(sorted({line for line in found.stdout.splitlines() if (ROOT / line).is_file()}))


def test_the_edge_library_imports_nothing_else_of_the_package() -> None:
    wrong = [
        f"{name_of(path)}: {name}"
        for path in modules("edge")
        for name in imports(path)
        # requests is how OpenTelemetry's exporter sends, and comes with it.
        if not name.startswith(("sloengine.edge", "opentelemetry", "requests"))
        and name.partition(".")[0] not in sys.stdlib_module_names
    ]
    assert wrong == []


def test_pure_rooms_know_the_model_and_the_standard_library_and_never_each_other() -> None:
    wrong = []
    for path in modules(*PURE):
        own = "sloengine." + name_of(path).partition("/")[0]
        for name in imports(path):
            known = (
                name in OF_STAGES or name == own or name.startswith(f"{own}.") or name.partition(".")[0] in ARITHMETIC
            )
            if not known and name.partition(".")[0] not in sys.stdlib_module_names:
                wrong.append(f"{name_of(path)}: {name}")
    assert wrong == []


def test_pure_rooms_hold_no_clock_environment_logger_or_client() -> None:
    banned = {"time", "os", "sys", "logging", "random", "socket", "subprocess", "sqlite3", "urllib", "http", "pathlib"}
    wrong = [f"{name_of(p)}: {n}" for p in modules(*PURE) for n in imports(p) if n.partition(".")[0] in banned]
    assert wrong + [read for path in modules(*PURE) for read in clock_reads(path)] == []


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_has_one_home(library: str) -> None:
    users = {path for path in modules() for name in imports(path) if name.partition(".")[0] == library}
    assert sorted(name_of(p) for p in users if not is_in(p, ONLY_IN[library])) == []
    assert users, f"nobody imports {library}: take its line out of ONLY_IN"


def test_only_the_engines_edges_read_the_wall_clock() -> None:
    assert [read for path in modules() if not is_in(path, MAY_READ_CLOCKS) for read in clock_reads(path)] == []


@pytest.mark.parametrize(
    "text",
    [
        "from datetime import datetime\ndatetime.now()",
        "import datetime\ndatetime.datetime.now()",
        "import datetime\ndatetime.date.today()",
        "from time import time_ns\ntime_ns()",
        "import time\nf(clock=time.time)",
        "from datetime import datetime as d\nd.utcnow()",
    ],
)
def test_the_clock_rule_sees_through_imports(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    (tmp_path / "x.py").write_text(text, encoding="utf-8")
    assert clock_reads(tmp_path / "x.py")


def test_a_monotonic_clock_is_no_wall_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    (tmp_path / "x.py").write_text(
        "import time\nfrom datetime import datetime\ntime.monotonic()\ndatetime(2026, 1, 1)\n"
    )
    assert clock_reads(tmp_path / "x.py") == []


def test_stages_do_not_import_jobs_app_or_commands() -> None:
    edges = {"sloengine.jobs", "sloengine.app", "sloengine.cli", "sloengine.gameday", "sloengine.schedule"}
    wrong = [
        f"{name_of(path)}: {name}"
        for path in modules()
        if not is_in(
            path,
            (
                "app.py",
                "cli.py",
                "cli_slices.py",
                "cli_drift.py",
                "cli_alerts.py",
                "tools",
                "jobs",
                "gameday",
                "__main__.py",
            ),
        )
        for name in imports(path)
        if ".".join(name.split(".")[:2]) in edges
    ]
    assert wrong == []


def test_nothing_is_named_for_being_vague() -> None:
    names = {Path(f) for f in tracked() if f.endswith((".py", ".sql"))}
    assert sorted(str(p) for p in names if {part.removesuffix(".py") for part in p.parts} & VAGUE) == []


def test_no_module_is_longer_than_a_person_can_hold() -> None:
    lengths = {f: len((ROOT / f).read_text(encoding="utf-8").splitlines()) for f in tracked() if f.endswith(".py")}
    assert {f: n for f, n in lengths.items() if n > LINES_MAX and f.startswith("sloengine/")} == {}


def docstrings(tree: ast.Module) -> set[ast.AST]:
    return {n.value for n in ast.walk(tree) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)}


def test_sql_of_more_than_one_line_lives_in_sql_files() -> None:
    sql = re.compile(r"\b(INSERT\s+INTO\b|SELECT\b.*\bFROM\b)", re.DOTALL)
    wrong = []
    for path in modules():
        words = docstrings(tree_of(path))
        for node in ast.walk(tree_of(path)):
            text = (
                node.value
                if isinstance(node, ast.Constant)
                else ast.unparse(node)
                if isinstance(node, ast.JoinedStr)
                else ""
            )
            if (
                node not in words
                and isinstance(text, str)
                and sql.search(text)
                and (node.end_lineno or 0) > node.lineno
            ):
                wrong.append(f"{name_of(path)}:{node.lineno}")
    assert wrong == []


def numbers(files: list[Path]) -> list[int]:
    return sorted(int(f.name.partition("_")[0]) for f in files)


def test_migrations_are_numbered_without_a_gap_and_hold_one_statement_each() -> None:
    files = sorted((PACKAGE / "store" / "migrations").glob("*.sql"))
    assert numbers(files) == list(range(1, len(files) + 1))
    for file in files:
        text = re.sub(r"/\*.*?\*/|--[^\n]*|'(?:[^'\\]|\\.)*'", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert len([part for part in text.split(";") if part.strip()]) == 1, file.name


def test_migrations_of_the_state_database_are_numbered_without_a_gap() -> None:
    files = sorted((PACKAGE / "state" / "migrations" / "versions").glob("*.py"))
    assert numbers(files) == list(range(1, len(files) + 1))


def test_the_top_level_holds_what_the_design_lists_and_nothing_else() -> None:
    here = {f.partition("/")[0] for f in tracked()}
    seen = {name for name in here if not name.startswith(".")}
    assert sorted(seen - TOP) == []
    assert sorted(TOP - seen) == []
    assert ".ci" in here


def test_no_file_names_a_registry_or_a_machine() -> None:
    registries = ["pypi" + ".org", "pythonhosted" + ".org", "proxy." + "golang.org", "registry." + "npmjs" + ".org"]
    paths = [f"/{word}/" for word in ("work", "root")] + ["/home" + "/"]
    options = ["--index" + "-url", "--extra-index" + "-url", "--trusted" + "-host", "GOPROXY" + "="]
    wanted = re.compile("|".join([*map(re.escape, registries + options), *(rf"(?<![\w.}}$)*/-]){p}" for p in paths)]))
    wrong = []
    for name in tracked():
        text = (ROOT / name).read_bytes().decode("utf-8", errors="replace")
        wrong += [f"{name}: {found.group()}" for found in wanted.finditer(text)]
    assert wrong == []


def test_the_readme_has_one_line_for_each_folder() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    _, found, section = text.partition("\n## The house\n")
    assert found, "README has no section 'The house'"
    section = section.partition("\n## ")[0]
    folders = {f.split("/")[1] for f in tracked() if f.startswith("sloengine/") and f.count("/") > 1}
    listed = re.findall(r"^\W*(?:sloengine/)?([a-z_]+)/", section, re.MULTILINE)
    assert sorted(folders - set(listed)) == []
    assert sorted(name for name in folders if listed.count(name) > 1) == []


def test_every_runbook_that_a_promise_names_exists() -> None:
    documents = YAML(typ="safe").load_all((PACKAGE / "gameday" / "slos.yaml").read_text(encoding="utf-8"))
    named = [d["metadata"]["annotations"]["sloengine.dev/runbook"] for d in documents]
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_every_failure_and_every_indicator_has_a_runbook() -> None:
    folder = ROOT / "docs" / "runbooks"
    listed = (folder / "README.md").read_text(encoding="utf-8")
    ids = re.findall(r"^\| ([FM]\d+) .*\]\(", listed, re.MULTILINE)
    assert ids == [f"F{n}" for n in range(1, 9)] + [f"M{n}" for n in range(1, 16)]
    pages = {page.name for page in folder.glob("*.md")} - {"README.md"}
    assert set(re.findall(r"\]\(([\w-]+\.md)\)", listed)) == pages


def test_links_of_runbooks_lead_somewhere() -> None:
    for page in (ROOT / "docs" / "runbooks").glob("*.md"):
        links = re.findall(r"\]\(([^)#:]+\.md)", page.read_text(encoding="utf-8"))
        assert [link for link in links if not (page.parent / link).is_file()] == [], page.name


def test_every_ready_made_indicator_names_a_runbook_that_exists() -> None:
    named = re.findall(
        r"docs/runbooks/[\w-]+\.md",
        "\n".join(p.read_text(encoding="utf-8") for p in PACKAGE.rglob("*.*") if p.suffix in (".py", ".yaml")),
    )
    assert named
    assert sorted({name for name in named if not (ROOT / name).is_file()}) == []
