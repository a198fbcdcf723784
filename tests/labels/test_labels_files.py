"""Label files: checked whole before anything is written, every problem with its line."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sloengine.errors import ConfigError
from sloengine.labels import files
from sloengine.labels.files import Imported, import_labels

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


class Inserted:
    def __init__(self) -> None:
        self.batches: list[list[list[object]]] = []

    def __call__(self, table: str, columns: list[str], rows: list[list[object]]) -> None:
        assert table == "otel_logs"
        self.batches.append(rows)

    @property
    def ids(self) -> list[str]:
        return [row[6]["edge.prediction.id"] for batch in self.batches for row in batch]  # type: ignore[index]


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., tuple[Imported, Inserted]]:
    def run(name: str, content: bytes, **options: Any) -> tuple[Imported, Inserted]:
        path = tmp_path / name
        path.write_bytes(content)
        inserted = Inserted()
        return import_labels(path, inserted, NOW, **options), inserted

    return run


Load = Callable[..., tuple[Imported, Inserted]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b'prediction_id,truth,at,source\np1,cat,,\n"p,2","a ""dog""",2026-05-04T03:00:00Z,op\n'),
        ("a.CSV", b'\xef\xbb\xbftruth, prediction_id\r\ncat, p1\r\n\r\ncat, "p,2"\r\n'),
        ("a.jsonl", b'\xef\xbb\xbf{"prediction_id":"p1","truth":"cat"}\n\n{"prediction_id":"p,2","truth":"cat"}'),
        ("a.ndjson", b'{"prediction_id":"p1","truth":"cat"}\r\n{"prediction_id":"p,2","truth":"cat"}\r\n'),
    ],
)
def test_csv_and_json_lines_are_read(load: Load, name: str, content: bytes) -> None:
    found, inserted = load(name, content)
    assert found == Imported(2, 0, ())
    assert inserted.ids == ["p1", "p,2"]


def test_one_bad_line_keeps_the_whole_file_out_unless_told_otherwise(load: Load) -> None:
    content = b"prediction_id,truth\np1,cat\np2,\np3,cat,dog\n\xff,cat\np5,cat\n"
    found, inserted = load("a.csv", content)
    assert (found.accepted, found.bad, inserted.batches) == (0, 3, [])
    said = [str(p).rpartition("/")[2] for p in found.problems]
    assert said[0] == "a.csv:3: error: 'truth' is missing"
    assert said[1].startswith("a.csv:4: error: 3 values for the 2 columns prediction_id,truth")
    assert "not Unicode text; send UTF-8" in said[2]
    found, inserted = load("a.csv", content, skip_bad=True)
    assert (found.accepted, found.bad, inserted.ids) == (2, 3, ["p1", "p5"])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"", "its name must end in one of .csv, .jsonl, .ndjson"),
        ("a.csv", b"", "column 'prediction_id' is missing"),
        ("a.csv", b"prediction_id,truht\n", "unknown column 'truht'"),
        ("a.csv", b"prediction_id,truth,truth\n", "column 'truth' comes twice"),
        ("a.csv", b'"prediction_id,truth\n', "a.csv:1: error: not CSV"),
    ],
)
def test_a_file_that_holds_no_labels_is_a_mistake_in_words(load: Load, name: str, content: bytes, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(name, content)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.csv:1: error: can't be read: No such file"):
        import_labels(tmp_path / "none.csv", Inserted(), NOW)
    with pytest.raises(ConfigError, match="can't be read"):
        import_labels(tmp_path, Inserted(), NOW) if tmp_path.suffix else import_labels(
            _folder(tmp_path), Inserted(), NOW
        )


def _folder(path: Path) -> Path:
    folder = path / "folder.csv"
    folder.mkdir()
    return folder


def test_long_files_are_written_in_batches_and_say_how_far_they_are(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BATCH", 10)
    told: list[tuple[int, int]] = []
    content = b"".join(b'{"prediction_id":"p%d","truth":"c"}\n' % n for n in range(25))
    found, inserted = load("a.jsonl", content, progress=lambda done, total: told.append((done, total)))
    assert found.accepted == 25
    assert [len(batch) for batch in inserted.batches] == [10, 10, 5]
    assert told == sorted(told)
    assert told[-1] == (2 * len(content), 2 * len(content))


def test_a_line_without_an_end_and_many_mistakes_stay_bounded(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PROBLEMS_MAX", 3)
    good = b'{"prediction_id":"p1","truth":"c"}\n'
    found, _ = load("a.jsonl", b"x" * 300_000 + b"\n" + good + b"7\n" * 9, skip_bad=True)
    assert (found.accepted, found.bad, len(found.problems)) == (1, 10, 3)
    assert "a line of more than 65536 bytes" in found.problems[0].message
    assert [p.line for p in found.problems] == [1, 3, 4]
    found, _ = load("b.csv", b"prediction_id,truth\n" + b"y" * 300_000 + b",c\np1,c\n", skip_bad=True)
    assert (found.accepted, found.bad) == (1, 1)
