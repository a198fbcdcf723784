"""docs/conformance.md lists every rule as it is in code, and every link into the contract leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sloengine.conformance import RULES, Rule
from sloengine.edge import contract

DOCS = Path(__file__).parents[2] / "docs"


def listed() -> dict[str, tuple[str, str, str, str]]:
    """rule: (level, what, do, section)"""
    found, level = {}, ""
    for line in (DOCS / "conformance.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("### "):
            level = line.removeprefix("### ").lower().removesuffix("s")
        row = re.fullmatch(r"\| `([a-z-]+)` \| (.*) \| (.*) \| \[(.*)\]\(telemetry\.md#(.*)\) \|", line)
        if row:
            id, what, do, section, link = row.groups()
            assert section == link
            assert id not in found
            found[id] = (level, what, do, section)
    return found


def test_the_document_and_the_code_list_the_same_rules() -> None:
    assert listed() == {r.id: (r.level.value, r.what, r.do, r.section) for r in RULES.values()}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_each_rule_leads_to_a_section_of_the_contract(rule: Rule) -> None:
    text = (DOCS / "telemetry.md").read_text(encoding="utf-8")
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    assert rule.section in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_header_is_the_librarys() -> None:
    assert contract.CLOCK_HEADER in (DOCS / "conformance.md").read_text(encoding="utf-8")
