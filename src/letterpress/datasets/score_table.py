"""Features of a table that somebody hands in: named after the features, or after training examples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from letterpress.errors import UsageError, as_clause
from letterpress.features import SESSION_COUNTS, columns_for_batch, compute_features, feature_names
from letterpress.features.columns import count_columns
from letterpress.recommenders import Recommender

_TEXT_MAP, _NUMBER_MAP = pa.map_(pa.string(), pa.string()), pa.map_(pa.string(), pa.float64())
_INSTANT = pa.timestamp("us", tz="UTC")


def features_of_table(table: pa.Table, recommender: Recommender) -> NDArray[np.float32]:
    """Features `(n, n_features)` of the rows of `table`.

    A table that has a column for every feature is taken as it is. Otherwise it may have the columns of
    `training_examples`; attributes and item labels may also be plain columns (as in a CSV), and a column
    that is absent counts as missing, or as zero for counts.

    Raises:
        UsageError: no column is one that features are computed from, or one has the wrong type.
    """
    names = feature_names(recommender)
    try:
        if set(names) <= set(table.column_names):
            columns = [table[name].cast(pa.float32()).to_numpy() for name in names]
            return np.stack(columns, axis=1)
        return compute_features(recommender, columns_for_batch(recommender, _completed(table, recommender)))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UsageError(
            f"expected columns of the types of training examples, found: {as_clause(error)}. "
            "Correct the file."
        ) from error


def rename_columns(table: pa.Table, recommender: Recommender, given: Mapping[str, str]) -> pa.Table:
    """The table with a copy of each column `given`, under the name that features of `recommender` know.

    Raises:
        UsageError: no feature is computed from such a column, or the table has none of that name.
    """
    known = sorted({*_plain_columns(recommender), *feature_names(recommender)})
    for column, name in given.items():
        if column not in known or name not in table.column_names:
            raise UsageError(
                f"expected --column as in {recommender.text_label or known[0]}=NAME, with a column that "
                f"{recommender.name} is ranked by and a NAME out of {', '.join(table.column_names)}; "
                f"found {column}={name}."
            )
    kept = table.drop_columns([column for column in given if column in table.column_names])
    for column, name in given.items():
        kept = kept.append_column(column, table[name])
    return kept


def _plain_columns(recommender: Recommender) -> set[str]:
    """Columns that a table may have instead of features, but for maps."""
    labels = [label for label, _ in (*recommender.vocabularies, *recommender.item_vocabularies)]
    text = [recommender.text_label] if recommender.text_label is not None else []
    return {*labels, *text, *count_columns(recommender), *recommender.attributes, "mobile_share"}


def _completed(table: pa.Table, recommender: Recommender) -> pa.Table:
    """The table with every column that features of `recommender` are computed from."""
    labels = [label for label, _ in recommender.vocabularies]
    item_labels = [label for label, _ in recommender.item_vocabularies]
    if recommender.text_label is not None:
        table = _with_text(table, recommender.text_label)
        item_labels.append(recommender.text_label)
    counts = count_columns(recommender)
    known = {*_plain_columns(recommender), "attributes"}
    if recommender.text_label is not None and not _has_text(table, recommender.text_label):
        raise UsageError(
            f"expected a column with the text that {recommender.name} ranks, called {recommender.text_label} "
            f"or {', '.join(_TEXT_COLUMNS)}; found only {', '.join(table.column_names) or 'none'}."
        )
    if not known & set(table.column_names):
        raise UsageError(
            f"expected columns that {recommender.name} is ranked by, such as {', '.join(sorted(known)[:6])}; "
            f"found only {', '.join(table.column_names) or 'none'}."
        )
    table = _with_map(table, "attributes", recommender.attributes, _NUMBER_MAP)
    table = _with_map(table, "item_labels", tuple(item_labels), _TEXT_MAP)
    table = _with_map(table, "context_labels", tuple(labels), _TEXT_MAP)
    wanted = dict.fromkeys(labels, pa.string()) | dict.fromkeys((*counts, *SESSION_COUNTS), pa.int64())
    wanted |= {"mobile_share": pa.float64(), "send_at": _INSTANT, "shown_at": _INSTANT}
    for name, kind in wanted.items():
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(table.num_rows, kind))
    return table


_TEXT_COLUMNS = ("headline", "subject_line", "subject", "title")
"""What tables of A/B tests call the text."""


def _has_text(table: pa.Table, name: str) -> bool:
    return bool({name, "item_labels"} & set(table.column_names))


def _with_text(table: pa.Table, name: str) -> pa.Table:
    """The table with its text in the column `name`, where it has one by any usual name."""
    if name in table.column_names or "item_labels" in table.column_names:
        return table
    found = next((column for column in _TEXT_COLUMNS if column in table.column_names), None)
    return table if found is None else table.append_column(name, table[found])


def _with_map(table: pa.Table, name: str, keys: tuple[str, ...], kind: pa.DataType) -> pa.Table:
    """The table with the map column `name`, made of the plain columns `keys` where it is absent."""
    if name in table.column_names:
        return table
    present = [key for key in keys if key in table.column_names]
    columns = [table[key].cast(kind.item_type).to_pylist() for key in present]
    rows = [
        [(key, value) for key, value in zip(present, values, strict=True) if value is not None]
        for values in zip(*columns, strict=True)
    ]
    return table.append_column(name, pa.array(rows if present else [[]] * table.num_rows, kind))
