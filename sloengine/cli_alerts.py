"""Commands about alerts. As thin as those in ``cli``, which takes them in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sloengine.cli_help import ending

if TYPE_CHECKING:
    from sloengine.tools.outcome import Outcome

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def register(app: typer.Typer, tell: Callable[[Outcome, bool], None]) -> None:
    """Add the commands; ``tell`` prints what a tool found and exits with its code."""

    @app.command(epilog=ending("route"))
    def route(
        *,
        labels: Annotated[
            str | None,
            typer.Option(help='Labels of an alert, such as severity=page,model="digits"; the tree if not set.'),
        ] = None,
        config: Annotated[
            Path | None, typer.Option(help="The routing, also a file of Alertmanager; the settings' one if not set.")
        ] = None,
        at: Annotated[
            str | None, typer.Option(help="The moment (UTC) for which time intervals are looked at; now if not set.")
        ] = None,
        live: Annotated[
            bool, typer.Option("--live", help="Also ask the engine's database: what is silenced, what inhibits?")
        ] = False,
        json_: Json = False,
    ) -> None:
        """Show where an alert would go, or the routing tree.

        With --labels: each route that takes it with its receiver, group key, timers, and what mutes it. Exits 1 if nobody would
        be told: muted, or without a target. Without --live only the file is read, neither silences nor firing alerts.
        """
        from sloengine.app import clock
        from sloengine.config.routing import load_alerting
        from sloengine.config.settings import load_settings
        from sloengine.tools.outcome import Refused, refusal
        from sloengine.tools.route import moment, quiet_of, run_route

        settings = load_settings()
        alerting = load_alerting(config or settings.alerting)
        try:
            quiet = quiet_of(alerting, moment(at) if at else clock(), settings.state_url if live else None)
            tell(run_route(alerting, labels, quiet), json_)
        except Refused as error:
            tell(refusal(error), json_)
