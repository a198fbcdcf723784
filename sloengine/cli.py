"""Commands: thin. Exit codes: 0 ok, 1 found something, 2 wrong use, 4 something it depends on is unavailable."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from sloengine.errors import ConfigError, SloengineError, StoreUnavailable

FOUND, WRONG_USE, UNAVAILABLE = 1, 2, 4

app = typer.Typer(
    name="sloengine",
    help="Observability and SLO analytics for machine-learning models that run on edge devices.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
T = TypeVar("T")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def main() -> None:
    try:
        app()
    except ConfigError as error:
        _fail(str(error), WRONG_USE)
    except StoreUnavailable as error:
        _fail(f"{error}\nStart one with 'sloengine store', or set SLOENGINE_STORE__URL.", UNAVAILABLE)
    except SloengineError as error:
        _fail(str(error), UNAVAILABLE)


def _fail(message: str, code: int) -> None:
    sys.stderr.write(message.rstrip() + "\n")
    raise SystemExit(code)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


@app.command()
def run() -> None:
    """Run the engine, console and API.

    Reads sloengine.yaml, SLOENGINE_* variables, the catalogue folder and alerting.yaml; runs in the foreground until
    SIGTERM or Ctrl-C.
    """
    from sloengine.app import log_as_json
    from sloengine.app import run as run_engine
    from sloengine.config.settings import load_settings

    log_as_json()
    run_engine(load_settings())


@app.command()
def store(
    path: Annotated[Path, typer.Option(help="Folder of the data; made if it isn't there.")] = Path(".sloengine/store"),
    host: Annotated[str, typer.Option(help="Address to listen on; others than loopback need passwords.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free port.")] = 8123,
    database: Annotated[str, typer.Option(help="Database that requests use unless they name another.")] = "sloengine",
) -> None:
    """Run the embedded ClickHouse endpoint.

    For where there is no ClickHouse server. Passwords come from SLOENGINE_STORE_ADMIN_PASSWORD, …_INGEST_PASSWORD and
    …_READER_PASSWORD.
    """
    from sloengine.embedded.__main__ import run as run_store

    raise SystemExit(run_store(["--path", str(path), "--host", host, "--port", str(port), "--database", database]))


@app.command()
def migrate(json_: Json = False) -> None:
    """Bring the databases to this version's schema."""
    from sloengine.config.settings import load_settings
    from sloengine.state.database import open_database
    from sloengine.store.migrate import migrate as migrate_store

    settings = load_settings()
    applied = migrate_store(settings.store)
    open_database(settings.state_url).dispose()
    if json_:
        _say(json.dumps({"applied": applied}))
    else:
        _say("\n".join(f"applied {name}" for name in applied) or "nothing to apply")


@app.command()
def lint(
    paths: Annotated[list[Path], typer.Argument(help="Catalogue files or folders.", metavar="PATH…")],
) -> None:
    """Check catalogue files, every mistake by line.

    Prints 'file:line: error|warning: message'. Exits 1 on any error, 0 on warnings alone, 2 for an unreadable path.
    """
    from sloengine.config.catalogue import check_catalogue

    try:
        _, problems = check_catalogue(paths)
    except (FileNotFoundError, PermissionError) as error:
        _fail(str(error), WRONG_USE)
    for problem in sorted(problems, key=lambda p: (p.file, p.line)):
        _say(str(problem))
    if any(p.severity == "error" for p in problems):
        raise SystemExit(FOUND)


@app.command()
def status(json_: Json = False) -> None:
    """Show every SLO as last judged.

    Exits 1 if one is burning or exhausted, 4 if ClickHouse does not answer.
    """
    rows = _read(lambda store: store.sql_rows("SELECT * FROM slo_now ORDER BY Slo, toString(Slice)"))
    if json_:
        _say(json.dumps({"slos": rows}, default=str))
    else:
        _say(_status_table(rows))
    if any(r["State"] in ("burning", "exhausted") for r in rows):
        raise SystemExit(FOUND)


def _read(action: Callable[[Any], T]) -> T:
    from sloengine.config.settings import load_settings
    from sloengine.store.client import Store

    store = Store(load_settings().store)
    try:
        return action(store)
    finally:
        store.close()


def _status_table(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "No SLO was judged in the last hour. Is 'sloengine run' running?"
    head = ("SLO", "SLICE", "TARGET", "NOW", "BUDGET LEFT", "COVERAGE", "STATE")
    lines = [head, *(_status_line(r) for r in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _status_line(row: dict[str, Any]) -> tuple[str, ...]:
    slice_ = ", ".join(f"{k}={v}" for k, v in row["Slice"].items()) or "all"
    figures = (_percent(row[k]) for k in ("Sli", "BudgetRemaining", "Coverage"))
    return (row["Slo"], slice_, f"{row['Target']:.3%}", *figures, f"{row['State']}: {row['Reason']}")


def _percent(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.3%}"


@app.command()
def dashboards(
    folder: Annotated[Path, typer.Argument(help="Where to write them.")] = Path("dashboards"),
) -> None:
    """Write Grafana dashboards and provisioning."""
    from sloengine.grafana.build import write

    for path in write(folder):
        _say(str(path))


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Stop after the page instead of staying up.")] = False,
    json_: Json = False,
    door: Annotated[
        bool, typer.Option("--door", help="Send OTLP through the engine's own door, no collector.")
    ] = False,
) -> None:
    """See the whole path: a fleet, a fault, one page.

    30 devices run real inferences behind three gateways; a store and an engine start beside them; the model file of one
    region is damaged and exactly one page must arrive. On a terminal everything stays up until Ctrl-C. Exits 0 only if
    exactly the expected page arrived. Files and logs are in ./.sloengine/demo.
    """
    from sloengine.gameday.demo import Options, run_demo

    stay = not once and sys.stdout.isatty()
    result = run_demo(Options(stay=stay, door=door))
    if json_:
        _say(json.dumps(result))
    if not result["ok"]:
        raise SystemExit(FOUND)
