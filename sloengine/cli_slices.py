"""Commands that look at slices: status, budget, segments, explain. As thin as those in ``cli``, which takes them in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from sloengine.cli_help import ending

if TYPE_CHECKING:
    from datetime import datetime

    from sloengine.jobs import Deps
    from sloengine.store.client import Store
    from sloengine.tools.outcome import Outcome

    Action = Callable[[Deps, datetime], Outcome]
    Reading = Callable[[Store], Outcome]

Name = Annotated[str, typer.Argument(help="Name of an SLO.", metavar="SLO")]
At = Annotated[str | None, typer.Option(help="The moment to look at (UTC), such as 2026-11-24T10:05; now if not set.")]
Chosen = Annotated[str | None, typer.Option("--slice", help="Such as model=m,region=eu; all if not set.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def register(app: typer.Typer, tell: Callable[[Action, bool], None], read: Callable[[Reading, bool], None]) -> None:
    """Add the commands; ``tell`` runs an action on an engine of these settings, ``read`` on its store."""

    @app.command(epilog=ending("status"))
    def status(
        name: Annotated[str | None, typer.Argument(help="Only this SLO.", metavar="SLO")] = None,
        *,
        by: Annotated[
            str | None,
            typer.Option(
                help='Judge it by other slices than its own, such as region or model,gateway; "" for all in one.'
            ),
        ] = None,
        at: Annotated[str | None, typer.Option(help="With --by: the moment to look at (UTC); now if not set.")] = None,
        json_: Json = False,
    ) -> None:
        """Show every SLO as last judged, or one cut otherwise.

        With --by one of them, rolled up or drilled down. Exits 1 if one is burning or exhausted, 4 if ClickHouse does not answer.
        """
        from sloengine.tools.cut import run_cut
        from sloengine.tools.status import run_status

        if by is None or name is None:
            read(lambda store: run_status(store, name, by=by, at=at), json_)
        else:
            tell(lambda deps, now: run_cut(deps, name, now, by=by, at=at), json_)

    @app.command()
    def budget(name: Name, *, at: At = None, slice_: Chosen = None, json_: Json = False) -> None:
        """Show how much of a budget is left and what spent it.

        For every slice, in ratio, events and time; by cause with the evidence; the rollouts' reserve; what is excluded and
        what was counted anew. Exits 1 if a budget is spent, 4 if ClickHouse does not answer.
        """
        from sloengine.tools.budget import run_budget

        tell(lambda deps, now: run_budget(deps, name, now, at=at, slice_=slice_), json_)

    @app.command()
    def segments(
        name: Name,
        *,
        by: Annotated[
            str | None, typer.Option(help="Such as edge.segment.stroke or region; the only segment if not set.")
        ] = None,
        at: At = None,
        slice_: Chosen = None,
        margin: Annotated[float, typer.Option(help="Difference of shares that is as good as none.")] = 0.0,
        json_: Json = False,
    ) -> None:
        """Show whether all segments are served as well.

        Accuracy by declared segment: each with its interval, its effective sample size and how many have a label, and the gap
        between best and worst. Exits 1 if that is surely more than --margin, 4 if ClickHouse does not answer.
        """
        from sloengine.tools.segments import run_segments

        tell(lambda deps, now: run_segments(deps, name, now, by=by, at=at, slice_=slice_, margin=margin), json_)

    @app.command(epilog=ending("explain"))
    def explain(
        name: Name,
        *,
        at: At = None,
        slice_: Annotated[
            str | None, typer.Option("--slice", help="Such as model=m,region=eu; the worst if not set.")
        ] = None,
        sql: Annotated[bool, typer.Option(help="Show the SQL that gives each figure.")] = True,
        json_: Json = False,
    ) -> None:
        """Show the chain from rows to verdict, step by step.

        What was counted, in which window, what it was weighed by, what was known then and what is known now, with the SQL of
        every step.
        """
        from sloengine.tools.explain import run_explain

        tell(lambda deps, now: run_explain(deps, name, now, at=at, slice_=slice_, sql=sql), json_)
