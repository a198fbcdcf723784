"""Commands: thin. Exit codes: 0 ok, 1 found something, 2 wrong use, 4 something it depends on is unavailable."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from sloengine import cli_alerts, cli_drift, cli_slices
from sloengine.cli_help import ending
from sloengine.errors import ConfigError, SloengineError, StoreUnavailable

if TYPE_CHECKING:
    from datetime import datetime

    from sloengine.jobs import Deps
    from sloengine.tools.outcome import Outcome

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


def _version(asked: bool) -> None:
    if asked:
        _say(f"sloengine {metadata.version('sloengine')}")
        raise typer.Exit


@app.callback()
def every_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    pass


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


@app.command(epilog=ending("run"))
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


@app.command(epilog=ending("store"))
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


@app.command(epilog=ending("migrate"))
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
def init(
    folder: Annotated[Path, typer.Argument(help="Where to write; made if it isn't there.")] = Path(),
) -> None:
    """Write a commented starting catalogue, routing and settings.

    Writes catalogue/*.yaml, alerting.yaml and sloengine.yaml; overwrites nothing: exits 2 if one of them is there.
    """
    from sloengine.config.starting import write_starting

    for path in write_starting(folder):
        _say(str(path))


@app.command(epilog=ending("lint"))
def lint(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Catalogue files or folders; the settings' catalogue if left out.", metavar="PATH…"),
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Also ask the store: does what is selected exist?")] = False,
    json_: Json = False,
) -> None:
    """Check catalogue files, every mistake by line.

    Also sloengine.yaml and alerting.yaml. Prints 'file:line: error|warning: message'. Exits 1 on any error, 0 on warnings
    alone, 2 for an unreadable path, 4 with --live if ClickHouse does not answer.
    """
    from sloengine.config.catalogue import catalogue_to_ask_about, check_catalogue
    from sloengine.config.settings import load_settings

    paths = paths or [load_settings().catalogue]
    try:
        if live:
            from sloengine.config.live import check_live
            from sloengine.tools.live import InStore

            catalogue, places, problems = catalogue_to_ask_about(paths)
            problems += _read(lambda store: check_live(catalogue, InStore(store), places))
        else:
            catalogue, problems = check_catalogue(paths)
    except (FileNotFoundError, PermissionError) as error:
        _fail(str(error), WRONG_USE)
    problems.sort(key=lambda p: (p.file, p.line))
    if json_:
        _say(json.dumps({"problems": [asdict(p) for p in problems], "slos": [s.name for s in catalogue.slos]}))
    else:
        for problem in problems:
            _say(str(problem))
    if any(p.severity == "error" for p in problems):
        raise SystemExit(FOUND)


@app.command()
def export(
    path: Annotated[
        Path | None, typer.Argument(help="Catalogue file or folder; the settings' one if left out.")
    ] = None,
    json_: Json = False,
) -> None:
    """Print the catalogue as plain OpenSLO v1 documents.

    Ready-made indicators are written out over their metric sources; what OpenSLO has no place for stays as annotations and
    our own kinds. Reading the output gives the same catalogue. Labels and foreign annotations of SLOs, SLIs, services,
    exclusions and drift monitors stay; what is not acted on or not exported is named on stderr. Exits 1 if something is broken
    and therefore left out, 2 for an unreadable path.
    """
    from sloengine.config.catalogue import catalogue_to_export
    from sloengine.config.export import as_yaml, documents
    from sloengine.config.settings import load_settings
    from sloengine.config.yamlfile import too_much

    try:
        catalogue, kept, problems = catalogue_to_export([path or load_settings().catalogue])
    except (FileNotFoundError, PermissionError) as error:
        _fail(str(error), WRONG_USE)
    found = documents(catalogue, kept)
    text = as_yaml(found)
    _say(json.dumps({"documents": found}) if json_ else text.rstrip("\n"))
    if too_much(text):
        sys.stderr.write("This is more than is read from one file: split it between documents, at '---'.\n")
    sys.stderr.writelines(f"{p}\n" for p in problems if p.severity != "error")
    errors = [p for p in problems if p.severity == "error"]
    if errors:
        _fail("left out, because it is wrong:\n" + "\n".join(map(str, errors)), FOUND)


def _read(action: Callable[[Any], T]) -> T:
    from sloengine.config.settings import load_settings
    from sloengine.store.client import Store

    store = Store(load_settings().store)
    try:
        return action(store)
    finally:
        store.close()


@app.command()
def conformance(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Captured OTLP requests: JSON lines, or one protobuf request each.", metavar="FILE…"),
    ] = None,
    listen: Annotated[
        str | None, typer.Option(help="Port on which a device can send OTLP over HTTP, such as 4318.")
    ] = None,
    for_: Annotated[
        str | None, typer.Option("--for", help="How long to listen, such as 60s; until Ctrl-C if not set.")
    ] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="A rule to leave out; may be given again.")] = None,
    json_: Json = False,
) -> None:
    """Say what is wrong with what a device sends.

    Point the device at --listen, or give captured requests. docs/conformance.md lists every rule. Exits 1 on any error, 0 on
    warnings alone.
    """
    from datetime import UTC, datetime

    from sloengine.conformance.run import Options, run_conformance
    from sloengine.times import parse_duration

    try:
        for_s = parse_duration(for_).total_seconds() if for_ else None
    except ValueError as error:
        _fail(f"--for: {error}", WRONG_USE)
    options = Options(
        now=lambda: datetime.now(UTC),
        listen=listen,
        files=tuple(files or ()),
        for_s=for_s,
        json=json_,
        ignore=frozenset(ignore or ()),
    )
    raise SystemExit(run_conformance(options))


@app.command()
def labels(
    file: Annotated[Path, typer.Argument(help="CSV with a header (prediction_id,truth[,at,source]) or JSON lines.")],
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Take the good lines of a file that has bad ones.")
    ] = False,
    json_: Json = False,
) -> None:
    """Import labels of predictions from a file.

    The whole file is checked first; a bad line is named as file:line, and nothing is written unless --skip-bad. Importing the
    same file again does no harm. Exits 1 if a line is bad.
    """
    from datetime import UTC, datetime

    from sloengine.labels.files import import_labels
    from sloengine.tools.progress import bar

    with bar(f"labels of {file}") as progress:
        found = _read(lambda store: import_labels(file, store.insert, datetime.now(UTC), progress, skip_bad=skip_bad))
    if json_:
        problems = [str(problem) for problem in found.problems]
        _say(json.dumps({"accepted": found.accepted, "bad": found.bad, "problems": problems}))
    else:
        _say("\n".join([*map(str, found.problems), f"{found.accepted} labels written, {found.bad} bad lines"]))
    if found.bad:
        raise SystemExit(FOUND)


def _tell(outcome: Outcome, json_: bool) -> None:
    """What a tool found: text or JSON on stdout, a refusal on stderr; its exit code."""
    if json_:
        _say(json.dumps(outcome.found, default=str, ensure_ascii=False))
    elif outcome.code == WRONG_USE:
        _fail(outcome.text, WRONG_USE)
    else:
        _say(outcome.text)
    if outcome.code:
        raise SystemExit(outcome.code)


def _with_engine(action: Callable[[Deps, datetime], Outcome]) -> Outcome:
    """Run a tool on what an engine of these settings and this catalogue has counted."""
    from sloengine.app import clock, opened
    from sloengine.config.settings import load_settings

    with opened(load_settings()) as deps:
        return action(deps, clock())


app.add_typer(cli_drift.commands(_tell, lambda action, json_: _tell(_with_engine(action), json_)), name="drift")
cli_alerts.register(app, _tell)
cli_slices.register(
    app,
    lambda action, json_: _tell(_with_engine(action), json_),
    lambda action, json_: _tell(_read(action), json_),
)


@app.command(epilog=ending("backtest"))
def backtest(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Changed catalogue; the present one if not set.", metavar="PATH…")
    ] = None,
    *,
    slo: Annotated[str | None, typer.Option(help="One SLO; all if not set.")] = None,
    policy: Annotated[str | None, typer.Option(help="Another burn policy for all of them.")] = None,
    since: Annotated[str, typer.Option(help="How far back, a duration or a moment.")] = "30d",
    step: Annotated[str, typer.Option(help="How often alerts are judged.")] = "1m",
    json_: Json = False,
) -> None:
    """Replay a changed SLO or alert policy over the past.

    When it would have paged and what it would have cost, beside what the present one did. Exits 1 if any slice would have
    alerted otherwise.
    """
    from sloengine.tools.backtest import run_backtest
    from sloengine.tools.progress import bar

    given = {"paths": tuple(paths or ()), "name": slo, "policy": policy, "since": since, "step": step}
    with bar("replaying") as drawn:
        outcome = _with_engine(
            lambda deps, now: run_backtest(deps, now, **given, progress=lambda done, total, _: drawn(done, total))  # type: ignore[arg-type]
        )
    _tell(outcome, json_)


@app.command(epilog=ending("gate"))
def gate(
    *,
    model: Annotated[str, typer.Option(help="Model of the candidate.")],
    version: Annotated[str, typer.Option(help="Version that wants to be released.")],
    against: Annotated[str | None, typer.Option(help="Version to compare with, or 'previous'.")] = None,
    service: Annotated[str | None, typer.Option(help="Service; all that run the version if not set.")] = None,
    slo: Annotated[list[str] | None, typer.Option(help="Only these SLOs; may be given again.")] = None,
    since: Annotated[
        str | None, typer.Option(help="How far back; since the version was first seen if not set.")
    ] = None,
    min_events: Annotated[
        int | None, typer.Option(help="At least so many valid events; as many as the intervals need if not set.")
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(help="Difference of bad ratios that is as good as none; 1 - target of each SLO if not set."),
    ] = None,
    ignore_budget: Annotated[bool, typer.Option("--ignore-budget", help="Release although a budget is spent.")] = False,
    json_: Json = False,
) -> None:
    """Judge a model version for CI/CD.

    Pass, fail or not enough data: by its own SLOs, and against control where one is named. Exits 0 pass, 1 fail, 2 if the
    model or version answered nothing in 30 days, 3 not enough data, 4 if ClickHouse does not answer.
    """
    from sloengine.tools.gate import run_gate

    given = {"against": against, "service": service, "slos": tuple(slo or ()), "since": since, "min_events": min_events}
    more = {"margin": margin, "ignore_budget": ignore_budget}
    outcome = _with_engine(
        lambda deps, now: run_gate(deps, now, model=model, version=version, **given, **more)  # type: ignore[arg-type]
    )
    _tell(outcome, json_)


@app.command(epilog=ending("query"))
def query(
    name: Annotated[str | None, typer.Argument(help="Name of a query; all are listed without one.")] = None,
    param: Annotated[list[str] | None, typer.Option(help="A parameter, name=value; may be given again.")] = None,
    form: Annotated[str, typer.Option("--format", help="table, json, csv or parquet.")] = "table",
    file: Annotated[Path | None, typer.Option(help="Where to write it; parquet needs one.")] = None,
) -> None:
    """Ask a named question, for ML engineers.

    docs/queries.md lists them with examples; parameters are bound by ClickHouse.
    """
    from sloengine.tools.query import run_query

    outcome = _read(lambda store: run_query(store, name, tuple(param or ()), form=form, file=file))
    _tell(outcome, json_=False)


@app.command(epilog=ending("backfill"))
def backfill(
    *,
    since: Annotated[
        str | None, typer.Option(help="From when, a duration ago or a moment; all that is kept if not set.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Until when; now if not set.")] = None,
    gateway: Annotated[str | None, typer.Option(help="One gateway; all if not set.")] = None,
    measure: Annotated[str | None, typer.Option(help="One measure; all if not set.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be counted, count nothing.")] = False,
    json_: Json = False,
) -> None:
    """Count buckets again from the raw rows that are kept.

    Under the present catalogue; safe beside a running engine, only what differs is written.
    """
    from sloengine.tools.backfill import run_backfill
    from sloengine.tools.progress import bar

    given = {"since": since, "until": until, "gateway": gateway, "measure": measure, "dry_run": dry_run}
    with bar("counting") as progress:
        outcome = _with_engine(lambda deps, now: run_backfill(deps, now, **given, progress=progress))  # type: ignore[arg-type]
    _tell(outcome, json_)


@app.command(epilog=ending("quarantine"))
def quarantine(
    gateway: Annotated[str, typer.Argument(help="Gateway whose deliveries shall not count.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; kept for the record.")],
    since: Annotated[
        str, typer.Option(help="From when on what came in does not count: a time (UTC), or a duration ago such as 2d.")
    ],
    until: Annotated[str | None, typer.Option(help="Until when; without it from then on.")] = None,
    author: Annotated[str, typer.Option(envvar="USER", help="Who says so.")] = "unknown",
    lift: Annotated[bool, typer.Option("--lift", help="Count it again.")] = False,
) -> None:
    """Leave what a gateway delivered out of all figures.

    Or take it back in, with --lift. The running engine recomputes history without it at its next tick; the raw rows stay, and
    what changes is listed as a restatement.
    """
    from datetime import UTC, datetime

    from sloengine.tools.quarantine import quarantine as say

    try:
        _say(_read(lambda store: say(store, gateway, (since, until), (reason, author), datetime.now(UTC), lift=lift)))
    except ValueError as error:
        _fail(str(error), WRONG_USE)


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
