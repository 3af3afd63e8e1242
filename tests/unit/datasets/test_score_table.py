from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from letterpress.datasets.score_table import features_of_table, rename_columns
from letterpress.errors import UsageError
from letterpress.features import feature_names
from letterpress.recommenders import get_recommender

IMAGES = get_recommender("image_enhancement")
NAMES = feature_names(IMAGES)


def by_name(table: pa.Table) -> dict[str, list[float]]:
    features = features_of_table(table, IMAGES)
    assert features.shape == (table.num_rows, len(NAMES))
    assert features.dtype == np.float32
    return dict(zip(NAMES, features.T.tolist(), strict=True))


def test_a_table_of_features_is_taken_as_it_is_in_the_order_of_the_schema() -> None:
    values = np.arange(2 * len(NAMES), dtype=np.float64).reshape(2, -1)
    shuffled = pa.table({name: values[:, place] for place, name in reversed(list(enumerate(NAMES)))})
    assert features_of_table(shuffled, IMAGES).tolist() == values.tolist()


def test_plain_columns_and_maps_give_the_same_features() -> None:
    plain = pa.table({"industry": ["food"], "enhancement": ["warm"], "brightness": [0.25]})
    maps = pa.table(
        {
            "industry": ["food"],
            "item_labels": pa.array([[("enhancement", "warm")]], pa.map_(pa.string(), pa.string())),
            "attributes": pa.array([[("brightness", 0.25)]], pa.map_(pa.string(), pa.float64())),
        }
    )
    found = features_of_table(plain, IMAGES)
    assert np.array_equal(found, features_of_table(maps, IMAGES), equal_nan=True)
    assert by_name(plain)["brightness"] == [0.25]


def test_an_absent_count_is_zero_and_an_absent_attribute_is_missing() -> None:
    found = by_name(pa.table({"industry": ["food", None], "item_shown": [80, None], "item_chosen": [44, 0]}))
    assert found["item_shown"] == [80.0, 0.0]
    assert found["item_choose_rate"] == pytest.approx([0.5, 0.3])
    assert found["item_delivered"] == [0.0, 0.0]
    assert np.isnan(found["brightness"]).all()
    assert np.isnan(found["industry_code"]).tolist() == [False, True]


def test_a_table_without_one_known_column_is_refused() -> None:
    with pytest.raises(UsageError, match="found only colour"):
        features_of_table(pa.table({"colour": ["red"]}), IMAGES)


def test_a_column_of_another_type_is_refused_in_a_sentence() -> None:
    with pytest.raises(UsageError, match="Correct the file"):
        features_of_table(pa.table({"brightness": ["very"]}), IMAGES)


def test_a_table_without_a_text_is_told_which_names_would_do() -> None:
    with pytest.raises(UsageError, match=r"text or headline.*found only impressions"):
        features_of_table(pa.table({"impressions": [1]}), get_recommender("subject_line"))


def test_a_column_of_another_name_is_taken_for_the_text_and_goes_before_one_that_is_known() -> None:
    subject_line = get_recommender("subject_line")
    foreign = pa.table({"text": ["unlike", "both"], "betreff": ["5 reasons!", "Why?"]})
    renamed = rename_columns(foreign, subject_line, {"text": "betreff", "item_clicked": "text"})
    assert renamed["text"].to_pylist() == ["5 reasons!", "Why?"]
    assert renamed["item_clicked"].to_pylist() == ["unlike", "both"]


@pytest.mark.parametrize("given", [{"text": "nothing"}, {"colour": "betreff"}, {"text": ""}])
def test_a_given_column_that_is_not_there_or_of_no_use_is_refused(given: dict[str, str]) -> None:
    table = pa.table({"betreff": ["Why?"]})
    with pytest.raises(UsageError, match=r"expected --column as in text=NAME.*out of betreff"):
        rename_columns(table, get_recommender("subject_line"), given)
