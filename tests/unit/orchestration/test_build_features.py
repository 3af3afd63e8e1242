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


@pytest.mark.parametrize(("model", "is_in_parts"), [("fct_slate_items", True), ("training_examples", False)])
def test_a_model_that_does_not_fit_in_memory_says_what_to_set(
    model: str, is_in_parts: bool, tmp_path: Path
) -> None:
    message = f"Runtime Error in model {model} Out of Memory Error: failed to allocate data"
    failed = {"status": "error", "unique_id": f"model.letterpress.{model}", "message": message}

    with pytest.raises(StorageError, match=rf"4GB of memory .* {model}.*LETTERPRESS_BUILD_MEMORY") as refused:
        _raise_failure([failed], "", Settings(home=tmp_path))

    assert ("LETTERPRESS_BUILD_PART_SLATES to fewer than 400,000" in str(refused.value)) == is_in_parts
