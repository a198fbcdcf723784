"""docs/slo.md is the reference: it names everything that a catalogue may say, and its examples are right."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from sloengine.config.annotations import ANNOTATIONS, UNITS
from sloengine.config.catalogue import check_catalogue
from sloengine.config.documents import DOCUMENTS, DriftSpec, IndicatorLine
from sloengine.config.indicators import templates
from sloengine.config.monitors import INDICES
from sloengine.config.pace import pace_of
from sloengine.config.policies import chosen, highest, shipped
from sloengine.config.sources import DERIVED, TYPES
from sloengine.model import Matcher, Sli, SliceRule
from sloengine.monitor import LEVELS, Against, Values
from sloengine.times import format_duration

TEXT = (Path(__file__).parents[2] / "docs" / "slo.md").read_text(encoding="utf-8")


def rows(title: str) -> dict[str, list[str]]:
    """Rows of the first table after a heading, by the text of the first cell."""
    section = TEXT.partition(f"\n## {title}")[2].partition("\n## ")[0].partition("\n### ")[0]
    cells = [
        [c.strip() for c in line.strip("|").split(" | ")] for line in section.splitlines() if line.startswith("| ")
    ]
    return {row[0].strip("` |"): row for row in cells[1:]}


def test_every_annotation_source_policy_and_indicator_is_in_its_table() -> None:
    assert set(rows("Annotations")) == set(ANNOTATIONS)
    assert set(rows("Metric sources")) == set(TYPES)
    assert set(rows("Burn policies")) == set(shipped())
    assert list(rows("The short way")) == list(templates())


def test_every_kind_measure_unit_and_key_is_named() -> None:
    for words in (
        {kind for _, kind in DOCUMENTS},
        DERIVED,
        (f.alias or n for n, f in IndicatorLine.model_fields.items()),
        (f.alias or n for n, f in DriftSpec.model_fields.items()),
        LEVELS,
        Against,
        Values,
        INDICES,
    ):
        assert [w for w in words if f"`{w}`" not in TEXT and f"kind: {w}" not in TEXT] == []
    listed = re.search(r"unit of the objective's `value`: ([^|]*) \|", TEXT)
    assert listed is not None
    assert listed[1].split(", ") == list(UNITS)


def test_the_table_of_indicators_gives_their_names_and_targets() -> None:
    for found in templates().values():
        _, slug, _, target, _ = rows("The short way")[found.id]
        assert (slug, target) == (f"`{found.slug}`", f"{found.target * 100:g} %"), found.id


@pytest.mark.parametrize("name", list(shipped()))
def test_the_table_of_policies_gives_what_the_data_say(name: str) -> None:
    found, row = shipped()[name], rows("Burn policies")[name]
    fastest = max(w.factor(found.window) for w in found.policy.windows)
    assert float(row[4].strip("% |")) == pytest.approx((1 - 1 / fastest) * 100, abs=0.01)
    assert highest(1 - 1 / fastest) == pytest.approx(fastest)
    figures = re.findall(r"([\d.]+) % in (\w+) \(([\d.]+)\)", f"{row[2]}, {row[3]}")
    assert len(figures) == len(found.policy.windows)
    for (share, _, factor), window in zip(figures, found.policy.windows, strict=True):
        assert float(share) / 100 == pytest.approx(window.budget_share)
        assert float(factor) == pytest.approx(window.factor(found.window), rel=0.005)


def test_the_table_of_slow_verdicts_gives_what_the_data_say() -> None:
    section = TEXT.partition("\n### Verdicts that come slowly")[2].partition("\n### ")[0]
    listed = re.findall(
        r"^\| (M\d+), [^|]* \| (\w+) \| ([^|,]*)[^|]* \| (\w+) \| `(\w+)`[^|]* \|$", section, re.MULTILINE
    )
    assert len(listed) == 6
    for name, every, known, least, default in listed:
        found = templates()[name]
        rule = SliceRule(timedelta(hours=1), (), (), (), "", 0.0) if found.shape.slices else None
        shape = found.shape
        cut = tuple(replace(s, where=(Matcher("value", "<=", str(found.value)),)) for s in shape.values)
        pace = pace_of(Sli(shape.good + cut, shape.bad, shape.total, rule))
        days = {"minute": "1m", "the objective's value (1d)": "1d"}
        said = [days.get(words, words) for words in (every, known, least)]
        assert said == [format_duration(found) for found in (pace.every, pace.known, pace.least)], name
        assert chosen(timedelta(days=30), None, found.target, pace).name == default
    assert set(re.findall(r"\bM\d+\b", section.partition("\n\n")[2].partition("These")[0])) == {
        name for name, found in templates().items() if found.verdicts or found.shape.slices
    }


def test_every_document_of_the_page_lints_without_an_error(tmp_path: Path) -> None:
    blocks = [b for b in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL) if "apiVersion" in b]
    assert len(blocks) == 6
    for number, block in enumerate(blocks):
        (tmp_path / f"{number}.yaml").write_text(block, encoding="utf-8")
    catalogue, problems = check_catalogue([tmp_path])
    assert [str(p) for p in problems if p.severity == "error"] == []
    assert len(catalogue.slos) == 5
    assert len(catalogue.exclusions) == 1


def test_the_matchers_of_the_page_are_matchers(tmp_path: Path) -> None:
    from sloengine.config.matchers import read_matchers

    (block,) = [b for b in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL) if "apiVersion" not in b]
    for line in block.splitlines():
        assert read_matchers(YAML(typ="safe").load(line)["where"])


def test_the_example_of_slices_that_makes_deployments_without_drift_bad_is_right(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "slices.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(apiVersion: openslo.*?)```", text, re.DOTALL)
    (tmp_path / "slo.yaml").write_text(example, encoding="utf-8")
    found, problems = check_catalogue([tmp_path])
    assert problems == []
    (slo,) = found.slos
    where = [{m.name: m.value for m in selector.where} for selector in slo.sli.bad]
    assert where == [{"verdict": "bad"}, {"reason": "deployed without drift"}]
    assert {m.name for s in slo.sli.good for m in s.where} == {"verdict", "reason"}
