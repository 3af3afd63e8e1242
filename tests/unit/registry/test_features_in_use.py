"""Since when a feature is in use: kept over models that have it, forgotten with the first that has it not."""

from __future__ import annotations

from pathlib import Path

import pytest

from letterpress.errors import StorageError
from letterpress.registry.features_in_use import InUse, features_in_use, note_features_in_use
from letterpress.settings import Home


def test_a_feature_is_in_use_since_the_first_of_the_models_in_a_row(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    assert features_in_use(home, "pictures") == {}

    for version, names in ((1, "ab"), (2, "abc"), (3, "bc"), (4, "abc")):
        note_features_in_use(home, "pictures", names, model=f"pictures/{version}", published_at=f"t{version}")

    assert features_in_use(home, "pictures") == {
        "a": InUse("pictures/4", "t4"),
        "b": InUse("pictures/1", "t1"),
        "c": InUse("pictures/2", "t2"),
    }


def test_a_damaged_record_is_named_and_the_next_release_begins_it_anew(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    note_features_in_use(home, "pictures", "a", model="pictures/1", published_at="t1")
    (home.registry / "features_in_use" / "pictures.json").write_text("{")

    with pytest.raises(StorageError, match=r"pictures\.json to say since when .*Delete it"):
        features_in_use(home, "pictures")

    note_features_in_use(home, "pictures", "a", model="pictures/2", published_at="t2")
    assert features_in_use(home, "pictures") == {"a": InUse("pictures/2", "t2")}
