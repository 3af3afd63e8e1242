from pathlib import Path

import pytest

from letterpress.errors import UsageError
from letterpress.orchestration.score_file import _read


@pytest.mark.parametrize("name", ["some.csv", "some.parquet"])
def test_a_file_of_something_else_is_named_and_not_quoted(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"a,b\n1,2\nprivate@example.org\n")
    with pytest.raises(UsageError, match=f"expected {path.suffix} in ") as caught:
        _read(path)
    assert "private" not in str(caught.value)
    assert str(caught.value).endswith("Name another file.")
