from pathlib import Path

import pyarrow as pa
import pytest

from letterpress.errors import UsageError
from letterpress.orchestration.score_file import _read, _useful, _write


@pytest.mark.parametrize("name", ["some.csv", "some.parquet"])
def test_a_file_of_something_else_is_named_and_not_quoted(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"a,b\n1,2\nprivate@example.org\n")
    with pytest.raises(UsageError, match=f"expected {path.suffix} in ") as caught:
        _read(path)
    assert "private" not in str(caught.value)
    assert str(caught.value).endswith("Name another file.")


def test_nothing_is_left_beside_a_file_that_could_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "scored.parquet").mkdir()
    with pytest.raises(IsADirectoryError):
        _write(pa.table({"score": [1.0]}), tmp_path / "scored.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["scored.parquet"]


def test_a_compressed_csv_with_lines_in_its_fields_goes_in_and_out(tmp_path: Path) -> None:
    path = tmp_path / "some.csv.gz"
    table = pa.table({"text": ["one\nline", "two"], "score": [1.5, 2.5]})
    _write(table, path)
    assert path.read_bytes()[:2] == b"\x1f\x8b"
    assert _read(path).equals(table)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_whatever_parts_the_columns_of_a_csv_is_found(delimiter: str, tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    lines = [["betreff", "sent"], ['"Yes, or no; \tmaybe"', "1"]]
    path.write_text("\ufeff" + "\n".join(delimiter.join(line) for line in lines), encoding="utf-8")
    assert _read(path).to_pylist() == [{"betreff": "Yes, or no; \tmaybe", "sent": 1}]


def test_columns_that_only_the_import_knows_are_left_alone() -> None:
    assert _useful({"test": "split", "text": "betreff", "clicks": "klicks"}) == {"text": "betreff"}
