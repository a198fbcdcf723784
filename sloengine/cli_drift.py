"""``sloengine drift …``: as thin as the commands in ``cli``, which takes them in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sloengine.tools.outcome import Outcome

File = Annotated[Path, typer.Argument(help="A histogram as JSON.", show_default=False)]


def commands(tell: Callable[[Outcome, bool], None]) -> typer.Typer:
    """The group; ``tell`` prints what a tool found and exits with its code."""
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
        json_: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
    ) -> None:
        """Compare a histogram with its baseline, both from files; no store is needed.

        A file holds {"bounds": […], "counts": […]}, {"scale": …, "zero_count": …, "zero_threshold": …, "positive": {"offset":
        …, "counts": […]}, "negative": {…}} or {"categories": {…}}. Drift is a PSI that matters and that is no chance. Exits 1 on
        drift, 0 on no drift or not enough data, 2 where the two can't be compared.
        """
        from sloengine.evaluate.drift.verdict import Rule
        from sloengine.tools.drift_compare import run_compare

        tell(run_compare(baseline, current, Rule(alpha=alpha, psi=min_psi, power=power)), json_)

    return app
