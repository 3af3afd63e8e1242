from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from letterpress.lake.array_file import write_rows


@pytest.mark.parametrize(("rows", "width"), [(0, 3), (1, 1), (5000, 7), (4096, 2), (3, 0)])
@pytest.mark.parametrize("kind", [np.int32, np.float64])
def test_the_file_is_to_the_byte_what_numpy_writes_of_the_whole_array(
    tmp_path: Path, rows: int, width: int, kind: type
) -> None:
    whole: NDArray[Any] = np.random.default_rng(rows).integers(0, 1000, (rows, width)).astype(kind)
    np.save(tmp_path / "whole.npy", whole)
    parts = (list(whole[start : start + 3000].T) for start in range(0, rows, 3000))
    write_rows(tmp_path / "parts.npy", parts, (rows, width), kind)
    assert (tmp_path / "parts.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
