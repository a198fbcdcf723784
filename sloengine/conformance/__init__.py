"""Tells a device maker what is wrong with what a device sends, measured against docs/telemetry.md.

    bytes ── decode ──▶ OTLP request ── checker ──▶ items ── rules ──▶ hits ── report ──▶ findings, worst first

`Checker` and the rules are values in, findings out; `listen` and `run` are the edges. docs/conformance.md lists every rule.
"""

from .checker import Checker
from .findings import RULES, Finding, Level, Rule
from .run import Options, run_conformance

__all__ = ["RULES", "Checker", "Finding", "Level", "Options", "Rule", "run_conformance"]
