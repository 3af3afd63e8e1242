from pathlib import Path

import pytest

from letterpress.errors import AlreadyRunningError, BrokenError, StorageError
from letterpress.orchestration.build_features import _raise_failure
from letterpress.settings import Settings


@pytest.mark.parametrize(
    ("output", "kind", "sentence"),
    [
        ('Could not write file "x.wal": No space left on device', StorageError, "found it full"),
        ("IO Error: Conflicting lock is held in PID 7", AlreadyRunningError, "another process"),
        ("Could not find profile", BrokenError, "Could not find profile"),
    ],
)
def test_what_dbt_prints_becomes_a_sentence_on_what_to_do(
    output: str, kind: type[Exception], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=sentence):
        _raise_failure([], output, Settings(home=tmp_path))


def test_a_model_that_does_not_fit_in_memory_says_what_to_set(tmp_path: Path) -> None:
    message = "Runtime Error in model fct_slate_items Out of Memory Error: failed to allocate data"
    failed = {"status": "error", "unique_id": "model.letterpress.fct_slate_items", "message": message}

    with pytest.raises(StorageError, match=r"4GB of memory .* fct_slate_items.*LETTERPRESS_BUILD_MEMORY"):
        _raise_failure([failed], "", Settings(home=tmp_path))
