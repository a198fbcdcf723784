"""Commands as a user meets them: exit codes, what goes to stdout, no traceback."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from sloengine import cli
from sloengine.cli_help import EXAMPLES
from sloengine.config.routing import load_alerting
from sloengine.config.settings import load_settings

GOOD = """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: digits-success
  annotations: {sloengine.dev/owner: ml, sloengine.dev/runbook: docs/x.md}
spec:
  service: digits
  indicatorRef: M1
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.999}]
"""
WARNS = GOOD.replace("sloengine.dev/owner: ml, ", "")
WRONG = WARNS.replace("indicatorRef: M1", "indicatorRef: N1")


def sloengine(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("SLOENGINE_")}
    return subprocess.run(
        [sys.executable, "-m", "sloengine", *words],
        cwd=folder,
        env={**clean, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("case", "text", "code", "lines"),
    [
        ("clean", GOOD, 0, []),
        (
            "warnings alone",
            WARNS,
            0,
            ["{file}:3: warning: no sloengine.dev/owner: an alert nobody can act on is a defect"],
        ),
        (
            "an error, in order of lines",
            WRONG,
            1,
            [
                "{file}:3: warning: no sloengine.dev/owner: an alert nobody can act on is a defect",
                "{file}:8: error: unknown indicator 'N1'; known: " + ", ".join(f"M{n}" for n in range(1, 16)),
            ],
        ),
    ],
)
def test_lint_says_every_problem_on_one_line_of_stdout(
    case: str, text: str, code: int, lines: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "slos.yaml"
    path.write_text(text, encoding="utf-8")
    found = CliRunner().invoke(cli.app, ["lint", str(path)])
    assert (found.exit_code, found.stdout.splitlines()) == (code, [line.format(file=path) for line in lines]), case
    assert found.stderr == "", case


def test_lint_of_a_path_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    found = CliRunner().invoke(cli.app, ["lint", str(tmp_path / "none")])
    assert (found.exit_code, found.stdout) == (2, "")
    assert found.stderr == f"{tmp_path / 'none'}: no such file or folder\n"


def test_lint_takes_several_paths_and_the_real_process_ends_with_the_same_code(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(WRONG, encoding="utf-8")
    (tmp_path / "a.yaml").write_text(GOOD, encoding="utf-8")
    found = sloengine(tmp_path, "lint", "b.yaml", "a.yaml")
    assert (found.returncode, found.stderr) == (1, "")
    assert [line.split(": ")[:2] for line in found.stdout.splitlines()] == [
        ["a.yaml:4", "error"],
        ["b.yaml:3", "warning"],
        ["b.yaml:8", "error"],
    ]


def commands() -> list[str]:
    return [command.name or command.callback.__name__ for command in cli.app.registered_commands if command.callback]


@pytest.mark.parametrize("command", commands())
def test_every_command_has_help_that_says_something(command: str) -> None:
    found = CliRunner().invoke(cli.app, [command, "--help"])
    assert found.exit_code == 0
    words = found.stdout.split("Options:")[0]
    assert len(words.split()) > 6, "usage and a sentence"


@pytest.mark.parametrize("command", ["explain", "gate", "backfill", "quarantine", "backtest", "query"])
def test_help_has_an_example_on_a_line_of_its_own(command: str) -> None:
    shown = CliRunner().invoke(cli.app, [command, "--help"]).stdout.splitlines()
    assert shown[-len(EXAMPLES[command]) :] == [f"    {line}" for line in EXAMPLES[command]]


@pytest.mark.parametrize("line", [line for lines in EXAMPLES.values() for line in lines])
def test_each_example_is_one_that_the_command_takes(line: str) -> None:
    _, name, *words = shlex.split(line)
    command = typer.main.get_command(cli.app).commands[name]  # type: ignore[attr-defined]
    command.make_context(name, list(words))


@pytest.mark.parametrize(
    "command", ["run", "store", "migrate", "explain", "query", "backfill", "quarantine", "lint", "gate"]
)
def test_help_tells_exit_codes(command: str) -> None:
    assert re.search(r"Exit codes:|Exits \d", CliRunner().invoke(cli.app, [command, "--help"]).stdout)


def test_no_summary_is_cut_and_the_version_is_told() -> None:
    listed = CliRunner().invoke(cli.app, ["--help"], terminal_width=80).stdout
    assert "..." not in listed.split("Commands:")[1]
    told = CliRunner().invoke(cli.app, ["--version"])
    assert (told.exit_code, told.stdout) == (0, f"sloengine {metadata.version('sloengine')}\n")


def test_lint_without_a_path_checks_the_settings_catalogue(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.yaml").write_text(WARNS, encoding="utf-8")
    (tmp_path / "sloengine.yaml").write_text("catalogue: mine\n", encoding="utf-8")
    found = sloengine(tmp_path, "lint")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith("mine/a.yaml:3: warning: no sloengine.dev/owner")


def test_no_command_shows_the_list_and_an_unknown_one_is_wrong_use() -> None:
    listed = CliRunner().invoke(cli.app, ["--help"])
    assert all(command in listed.stdout for command in commands())
    assert CliRunner().invoke(cli.app, []).exit_code == 2
    assert CliRunner().invoke(cli.app, ["no-such-command"]).exit_code == 2


def test_status_without_a_store_says_what_to_start(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    found = sloengine(tmp_path, "status", SLOENGINE_STORE__URL=url)
    assert (found.returncode, found.stdout) == (4, "")
    assert url in found.stderr
    assert "sloengine store" in found.stderr
    assert "SLOENGINE_STORE__URL" in found.stderr
    assert "Traceback" not in found.stderr


def test_a_wrong_setting_is_wrong_use_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "sloengine.yaml").write_text("store:\n  ulr: http://x\n", encoding="utf-8")
    found = sloengine(tmp_path, "status")
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == "sloengine.yaml:2: error: unknown key 'store.ulr'; did you mean 'url'?\n"


def test_run_without_a_catalogue_is_wrong_use_in_words(tmp_path: Path) -> None:
    found = sloengine(tmp_path, "run")
    assert found.returncode == 2
    assert "catalogue:1: error: no such folder" in found.stderr
    assert "'sloengine init' writes a start" in found.stderr
    assert "Traceback" not in found.stderr


def test_lint_as_json_says_the_same_and_which_slos_there_are(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD + "---\n" + WRONG.replace("digits-success", "wrong"), encoding="utf-8")
    found = CliRunner().invoke(cli.app, ["lint", "--json", str(tmp_path)])
    said = json.loads(found.stdout)
    assert (found.exit_code, said["slos"]) == (1, ["digits-success"])
    assert [(p["line"], p["severity"]) for p in said["problems"]] == [(15, "warning"), (20, "error")]


def test_init_writes_a_start_that_lints_clean_and_overwrites_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert CliRunner().invoke(cli.app, ["init", str(folder)]).exit_code == 0
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert {str(p.relative_to(folder)) for p in before} == {
        "sloengine.yaml", "alerting.yaml", "catalogue/fleet.yaml", "catalogue/indicators.yaml",
    }  # fmt: skip
    for path in (folder, folder / "catalogue"):
        found = CliRunner().invoke(cli.app, ["lint", str(path)])
        assert (found.exit_code, found.stdout) == (0, "")
    (folder / "alerting.yaml").write_text("mine", encoding="utf-8")
    (folder / "sloengine.yaml").unlink()
    second = sloengine(tmp_path, "init", "new")
    assert second.returncode == 2
    assert "new/alerting.yaml:1: error: is there already; nothing was written" in second.stderr
    assert not (folder / "sloengine.yaml").exists()
    assert (folder / "alerting.yaml").read_text(encoding="utf-8") == "mine"


def test_each_line_of_the_start_works_once_its_mark_is_taken_away(tmp_path: Path) -> None:
    CliRunner().invoke(cli.app, ["init", str(tmp_path)])
    file = tmp_path / "catalogue" / "indicators.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("    # - ", "    - "), encoding="utf-8")
    found = CliRunner().invoke(cli.app, ["lint", "--json", str(tmp_path)])
    said = json.loads(found.stdout)
    # Who is expected nobody but the user knows.
    assert [p["message"] for p in said["problems"] if "no Inventory" not in p["message"]] == []
    assert len(said["slos"]) == 16


def test_every_document_of_the_start_that_is_commented_out_is_right(tmp_path: Path) -> None:
    CliRunner().invoke(cli.app, ["init", str(tmp_path)])
    file = tmp_path / "catalogue" / "fleet.yaml"
    head, mark, rest = file.read_text(encoding="utf-8").partition("# apiVersion")
    file.write_text(head + (mark + rest).replace("\n# ", "\n").removeprefix("# "), encoding="utf-8")
    found = CliRunner().invoke(cli.app, ["lint", str(tmp_path)])
    assert (found.exit_code, found.stdout) == (0, "")
    printed = CliRunner().invoke(cli.app, ["export", str(tmp_path / "catalogue")]).stdout
    kinds = ("SLO", "Service", "Inventory", "Rollout", "Exclusion", "DriftMonitor")
    assert [kind for kind in kinds if f"kind: {kind}\n" not in printed] == []


def test_the_settings_of_the_start_are_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    CliRunner().invoke(cli.app, ["init", str(tmp_path)])
    defaults = load_settings()
    monkeypatch.chdir(tmp_path)
    assert load_settings() == defaults
    assert load_alerting(tmp_path / "alerting.yaml").route.receiver == "on-call"


def test_export_prints_documents_that_lint_to_the_same_slos(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD, encoding="utf-8")
    printed = CliRunner().invoke(cli.app, ["export", str(tmp_path / "a.yaml")])
    assert (printed.exit_code, printed.stderr) == (0, "")
    (tmp_path / "b.yaml").write_text(printed.stdout, encoding="utf-8")
    assert CliRunner().invoke(cli.app, ["lint", str(tmp_path / "b.yaml")]).stdout == ""
    as_json = CliRunner().invoke(cli.app, ["export", "--json", str(tmp_path / "b.yaml")])
    (document,) = json.loads(as_json.stdout)["documents"]
    assert document["metadata"]["name"] == "digits-success"
    assert document["spec"]["indicator"]["metadata"] == {"name": "M1"}


def test_export_names_on_stderr_what_it_has_no_place_for(tmp_path: Path) -> None:
    text = (
        "apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: x, labels: {team: blue}}\nspec: {service: s, indicatorRef: M1}\n"
        "---\napiVersion: openslo/v1\nkind: DataSource\nmetadata: {name: d}\nspec: {description: words, type: metrics}\n"
    )
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    found = sloengine(tmp_path, "export", "a.yaml")
    assert found.returncode == 0
    assert "team: blue" in found.stdout
    assert "a.yaml:9: warning: not exported: description of DataSource 'd'" in found.stderr


def test_export_says_what_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD + "---\n" + WRONG.replace("digits-success", "wrong"), encoding="utf-8")
    found = sloengine(tmp_path, "export", "a.yaml")
    assert (found.returncode, found.stdout.count("kind: SLO")) == (1, 1)
    assert "left out, because it is wrong:\na.yaml:20: error: unknown indicator" in found.stderr
    assert sloengine(tmp_path, "export", "none").returncode == 2


def test_lint_live_without_a_store_says_what_to_start(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD, encoding="utf-8")
    found = sloengine(tmp_path, "lint", "--live", "a.yaml", SLOENGINE_STORE__URL=f"http://127.0.0.1:{closed_port()}")
    assert (found.returncode, found.stdout) == (4, "")
    assert "sloengine store" in found.stderr
