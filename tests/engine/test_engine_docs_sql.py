"""Every SQL example in README and docs runs on a store that holds a little data."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
STATEMENTS = [
    pytest.param(statement.strip(), id=f"{page.name}-{number}")
    for page in PAGES
    for number, statement in enumerate(
        s
        for block in re.findall(r"```sql\n(.*?)```", page.read_text(), re.DOTALL)
        for s in block.split(";")
        if s.strip()
    )
]


def test_the_documentation_has_examples_to_run():
    assert len(STATEMENTS) >= 8


@pytest.mark.parametrize("sql", STATEMENTS)
def test_a_documented_statement_runs(module_rig, sql):
    module_rig.store.sql_rows(sql)
