"""Slips of the pen that were silent, or told in riddles: each is named at its line, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from sloengine.config.catalogue import check_catalogue

HEAD = "apiVersion: sloengine.dev/v1\nkind: Indicators\nmetadata: {name: digits}\nspec:\n"
SPEC = HEAD + "  service: digits\n  owner: o\n  runbook: r\n"
INVENTORY = """\
---
apiVersion: sloengine.dev/v1
kind: Inventory
metadata: {name: fleet}
spec: {service: %s, since: 2026-01-01T00:00:00Z, nodes: [{device: d, gateway: g, region: eu}]}
"""


def said(folder: Path, text: str) -> list[str]:
    file = folder / "a.yaml"
    file.write_text(text, encoding="utf-8")
    return [str(p).removeprefix(f"{file}:") for p in check_catalogue([file])[1]]


def line(row: str) -> str:
    return f"{SPEC}  indicators:\n    - {row}\n"


MILLISECONDS = (
    "9: warning: value 100 is in seconds, and nearly everything is below it; for milliseconds write 0.1,"
    " or annotate 'sloengine.dev/unit: ms'"
)
NOBODY = "9: warning: SLO 'digits-freshness' counts expected nodes, and no Inventory that was read lists one of service 'digits'"


@pytest.mark.parametrize(
    ("case", "text", "expected"),
    [
        (
            "a dimension of all lines is wrong once, where it is written",
            f"{SPEC}  by: modle\n  indicators: [M1, M2,\n    M3]\n",
            ["8: error: unknown dimension 'modle'; did you mean 'model'?"],
        ),
        ("an indicator in small letters", line("m2"), ["9: error: unknown indicator 'm2'; did you mean 'M2'?"]),
        (
            "equality as in a program",
            line("{M1: {where: 'region==eu'}}"),
            ["9: error: 'region==eu': equality is written with one '=', as in region=\"eu\""],
        ),
        (
            "a dimension with a capital",
            line("{M1: {where: {Region: eu}}}"),
            ["9: error: unknown dimension 'Region'; did you mean 'region'?"],
        ),
        ("a value that begins with =, in quotes", line("{M1: {where: 'a.b=\"=eu\"'}}"), []),
        ("a limit below zero", line("{M2: {value: -1}}"), ["9: error: value -1: what M2 measures is never below 0"]),
        ("milliseconds for seconds", line("{M2: {value: 100}}"), [MILLISECONDS]),
        ("milliseconds that are said to be", line("{M2: {value: 100, annotations: {sloengine.dev/unit: ms}}}"), []),
        ("a slow model", line("{M2: {value: 8}}"), []),
        ("nodes, and nobody is expected", line("M4"), [NOBODY]),
        ("nodes of another service", line("M4") + INVENTORY % "digts", [f"{NOBODY}; did you mean 'digts'?"]),
        ("nodes that are expected", line("M4") + INVENTORY % "digits", []),
        (
            "a policy that is too quick for the target",
            line("{M1: {target: 0.9, alertPolicies: [sre-workbook]}}"),
            [
                "9: error: policy 'sre-workbook', window 1h: burn rate 14.4 can't be reached, at target 0.9 it is at most 10;"
                " without alertPolicies one that fits is chosen, 'gentle'"
            ],
        ),
        ("and without it", line("{M1: {target: 0.9}}"), []),
        (
            "a window that no policy of ours fits",
            line("{M1: {timeWindow: [{duration: 20m, isRolling: true}]}}"),
            [
                f"9: error: policy '1d.20m', window {long}: longer than the SLO's window 20m; it was chosen because alertPolicies"
                " names none, and none that ships fits: write a BurnPolicy and name it in alertPolicies"
                for long in ("36m", "2h", "6h")
            ],
        ),
        ("a word for a number", line("{M2: {value: fast}}"), ["9: error: M2: 'value': expected a number"]),
        (
            "a name with a space",
            line("{M1: {name: my slo}}"),
            [
                "9: error: M1: 'name': a name has letters and digits, inside it also - . _ | / \\ and +, no spaces,"
                " at most 253 of them"
            ],
        ),
    ],
)
def test_a_slip_is_named_with_what_to_do(case: str, text: str, expected: list[str], tmp_path: Path) -> None:
    assert said(tmp_path, text) == expected, case


def test_a_misspelt_method_is_recognized(tmp_path: Path) -> None:
    text = (
        "apiVersion: openslo/v1\nkind: SLO\nmetadata:\n  name: x\n"
        "  annotations: {sloengine.dev/owner: o, sloengine.dev/runbook: r}\n"
        "spec:\n  service: s\n  indicatorRef: M1\n  timeWindow: [{duration: 30d, isRolling: true}]\n"
        "  budgetingMethod: Occurences\n  objectives: [{target: 0.9}]\n"
    )
    assert said(tmp_path, text) == [
        "10: error: spec.budgetingMethod: 'Occurences' is not known; did you mean 'Occurrences'?"
    ]


def test_settings_and_routing_are_checked_as_their_commands_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLOENGINE_ENGINE__TICK_S", "3")  # what the file says is wrong all the same
    settings, alerting = tmp_path / "sloengine.yaml", tmp_path / "alerting.yaml"
    settings.write_text("engine:\n  tick_s: 5000\n", encoding="utf-8")
    alerting.write_text(
        "route: {receiver: a}\nreceivers:\n  - name: a\n    sns_configs: [{channel: x}]\n", encoding="utf-8"
    )
    assert [str(p) for p in check_catalogue([alerting, settings])[1]] == [
        f"{alerting}:3: error: a route sends to receiver 'a', which has no supported way to send: sns_configs",
        f"{alerting}:4: warning: sns_configs is not supported: nothing is sent this way",
        f"{settings}:2: error: engine.tick_s: must be at most 300",
    ]
