"""``sloengine drift …``: as thin as the commands in ``cli``, which takes them in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from sloengine.jobs import Deps
    from sloengine.tools.outcome import Outcome

    Action = Callable[[Deps, datetime], Outcome]

Name = Annotated[str, typer.Argument(help="Name of a drift monitor.", metavar="MONITOR")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
File = Annotated[Path, typer.Argument(help="A histogram as JSON.", show_default=False)]


def commands(tell: Callable[[Outcome, bool], None], act: Callable[[Action, bool], None]) -> typer.Typer:
    """The group; ``tell`` prints what a tool found and exits with its code, ``act`` runs one on an engine of these settings."""
    app = typer.Typer(no_args_is_help=True, help="Drift of prediction histograms.", rich_markup_mode=None)

    @app.callback()
    def group() -> None:
        """Drift of prediction histograms."""

    @app.command()
    def compare(
        baseline: File,
        current: File,
        *,
        alpha: Annotated[float, typer.Option(help="Probability of calling chance a drift.", min=1e-12, max=0.5)] = 0.01,
        min_psi: Annotated[float, typer.Option(help="Smallest PSI that matters.", min=0.0)] = 0.1,
        power: Annotated[
            float, typer.Option(help="Probability with which the smallest detectable PSI is found.", min=0.5, max=0.999)
        ] = 0.8,
        json_: Json = False,
    ) -> None:
        """Compare a histogram with its baseline, both from files; no store is needed.

        A file holds {"bounds": […], "counts": […]}, {"scale": …, "zero_count": …, "zero_threshold": …, "positive": {"offset":
        …, "counts": […]}, "negative": {…}} or {"categories": {…}}. Drift is a PSI that matters and that is no chance. Exits 1 on
        drift, 0 on no drift or not enough data, 2 where the two can't be compared.
        """
        from sloengine.evaluate.drift.verdict import Rule
        from sloengine.tools.drift_compare import run_compare

        tell(run_compare(baseline, current, Rule(alpha=alpha, psi=min_psi, power=power)), json_)

    @app.command()
    def run(
        name: Name,
        *,
        at: Annotated[
            str | None,
            typer.Option(help="Look at the window that ended last before this moment (UTC); now if not set."),
        ] = None,
        json_: Json = False,
    ) -> None:
        """Look at a monitor's newest window now: what drifts, and what could not be told.

        The engine looks on its own whenever a window has ended, and tells people; this tells you alone. Exits 1 if something
        drifts, 2 if the monitor has no baseline yet, 4 if ClickHouse does not answer.
        """
        from sloengine.tools.drift_run import run_drift
        from sloengine.tools.progress import bar

        with bar("making the baseline") as progress:
            act(lambda deps, now: run_drift(deps, name, now, at=at, progress=progress), json_)

    @app.command()
    def explain(
        name: Name,
        *,
        model: Annotated[str, typer.Option(help="Which model.")] = "",
        version: Annotated[str, typer.Option(help="Which version of it.")] = "",
        region: Annotated[str, typer.Option(help="Which region of that.")] = "",
        device: Annotated[str, typer.Option(help="Which device.")] = "",
        segment: Annotated[str, typer.Option(help="Or which segment of a version, attribute=value.")] = "",
        at: Annotated[str | None, typer.Option(help="The moment to look at (UTC); now if not set.")] = None,
        json_: Json = False,
    ) -> None:
        """Show how far a part of the fleet is from its baseline: bins, segments and their mix, look by look.

        The part that is farthest off unless one is named. Exits 1 if it drifts, 4 if ClickHouse does not answer.
        """
        from sloengine.tools.drift_explain import Part, run_drift_explain

        part = Part(model, version, region, device, segment)
        act(lambda deps, now: run_drift_explain(deps, name, part, now, at=at), json_)

    @app.command()
    def export(
        name: Name,
        folder: Annotated[Path, typer.Argument(help="Folder to write, empty or not there yet.", show_default=False)],
        *,
        begin: Annotated[str, typer.Option("--from", help="Where it begins (UTC), such as 2026-11-20T08:00.")],
        end: Annotated[str, typer.Option("--to", help="Where it ends (UTC).")],
        model: Annotated[str, typer.Option(help="Which model.")] = "",
        version: Annotated[str, typer.Option(help="Which version of it.")] = "",
        region: Annotated[str, typer.Option(help="Which region of that.")] = "",
        device: Annotated[str, typer.Option(help="Which device.")] = "",
        segment: Annotated[str, typer.Option(help="Which segment, attribute=value.")] = "",
        json_: Json = False,
    ) -> None:
        """Write what a retrain hook is handed: recorded predictions with their labels, and histograms, as Parquet.

        predictions.parquet, histograms.parquet and manifest.json, which is written last. Exits 2 if the folder holds something
        already, 4 if ClickHouse does not answer.
        """
        from sloengine.tools.drift_explain import Part
        from sloengine.tools.drift_export import Wanted, run_drift_export

        wanted = Wanted(Part(model, version, region, device, segment), begin, end, folder)
        act(lambda deps, now: run_drift_export(deps, name, wanted, now), json_)

    app.add_typer(_baselines(act), name="baseline")
    return app


def _baselines(act: Callable[[Action, bool], None]) -> typer.Typer:
    app = typer.Typer(no_args_is_help=True, help="What is normal: list baselines, pin one.", rich_markup_mode=None)

    @app.command("list")
    def list_(name: Name, *, json_: Json = False) -> None:
        """List every version of a monitor's baselines: made of what, by whom, why, and how good it is."""
        from sloengine.tools.drift_baseline import list_baselines

        act(lambda deps, _: list_baselines(deps, name), json_)

    @app.command()
    def pin(
        name: Name,
        called: Annotated[str, typer.Argument(help="What to call the baseline.", metavar="BASELINE")],
        *,
        author: Annotated[str, typer.Option(help="Who pins it.")],
        reason: Annotated[str, typer.Option(help="Why this is normal.")],
        begin: Annotated[str, typer.Option("--from", help="Where it begins (UTC), such as 2026-11-20.")] = "",
        end: Annotated[str, typer.Option("--to", help="Where it ends (UTC).")] = "",
        file: Annotated[
            Path | None, typer.Option(help="Or a validation set's histogram, as 'drift compare' reads it.")
        ] = None,
        model: Annotated[str, typer.Option(help="With --file: of which model it is.")] = "",
        version: Annotated[str, typer.Option(help="With --file: of which version; all of them if not set.")] = "",
        json_: Json = False,
    ) -> None:
        """Keep a span of telemetry, or a validation set, as a named baseline for monitors that say 'against: pinned'.

        It is never rewritten; pinning the same name again makes a newer version, which keeps what it said of other models and
        versions where it is of files. Exits 1 if it is refused (too few hours or events), 4 if ClickHouse does not answer.
        """
        from sloengine.tools.drift_baseline import Handed, Pin, pin_baseline, pin_file
        from sloengine.tools.progress import bar

        if (file is None) != bool(begin and end) or (file is None and (model or version)):
            raise typer.BadParameter("say --from and --to, or --file and --model")
        if file is not None:
            handed = Handed(called, model, version, None, author, reason)
            act(lambda deps, now: pin_file(deps, name, file, handed, now), json_)
            return
        pinned = Pin(called, begin, end, author, reason)
        with bar("adding up hours") as progress:
            act(lambda deps, now: pin_baseline(deps, name, pinned, now, progress), json_)

    return app
