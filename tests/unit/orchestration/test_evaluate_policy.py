import gzip
import random
from pathlib import Path

import pytest

from letterpress.errors import NotEnoughDataError
from letterpress.orchestration.evaluate_policy import evaluate_policy
from letterpress.settings import Settings

GOLDEN = Path(__file__).parents[2] / "data" / "native_log.jsonl"


@pytest.mark.parametrize("kept", [0.2, 0.8])
def test_a_truncated_gzip_is_read_as_far_as_it_goes(kept: float, tmp_path: Path) -> None:
    log = tmp_path / "cut.jsonl.gz"
    noise = random.Random(7).randbytes(500_000).hex().encode()
    packed = gzip.compress(GOLDEN.read_bytes() + noise)
    log.write_bytes(packed[: int(len(packed) * kept)])
    with pytest.raises(NotEnoughDataError, match="uniform policy on cut"):
        evaluate_policy(Settings(home=tmp_path), log, "letterpress", "uniform")
