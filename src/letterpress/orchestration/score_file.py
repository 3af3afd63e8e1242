"""Scores the rows of a file with a released or named version."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from letterpress.datasets.score_table import features_of_table, rename_columns
from letterpress.errors import NotYetThereError, UsageError
from letterpress.events import ab_test
from letterpress.events.csv_rows import find_delimiter
from letterpress.features import schema_hash
from letterpress.features.sentence_store import keep_sentences
from letterpress.log import log_step
from letterpress.recommenders import get_recommender
from letterpress.registry.store import RegisteredModel, champion, model_version, with_alias
from letterpress.settings import Home, Settings

FORMATS = (".parquet", ".csv", ".csv.gz")


def score_file(
    settings: Settings,
    recommender: str,
    source: Path,
    target: Path,
    *,
    version: int | None = None,
    columns: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Write `source` to `target` with a column `score`, by the champion or by `version`.

    `columns` are the table's names of columns that it calls otherwise than training examples do.

    Raises:
        UsageError: a file is neither Parquet nor CSV, cannot be read, or lacks every column of use; or it
            lacks one of `columns`.
        NotYetThereError: there is no such version, or no champion yet.
    """
    declared, home = get_recommender(recommender), settings.paths
    for path in (source, target):
        if not path.name.endswith(FORMATS):
            raise UsageError(
                f"expected a name that ends with one of {', '.join(FORMATS)}; found {path.name}."
            )
    model = _newest(home, recommender) if version is None else model_version(home, recommender, version)
    bundle = model.open_bundle()
    bundle.require_schema(schema_hash(declared))
    with keep_sentences(home.sentences), log_step("score_file", model=model.name) as counts:
        table = _read(source)
        named = rename_columns(table, declared, _useful(columns or {}))
        scores = bundle.scorer(threads=settings.threads).score(features_of_table(named, declared))
        kept = table.drop_columns([name for name in ("score",) if name in table.column_names])
        _write(kept.append_column("score", pa.array(scores)), target)
        counts.update(rows_in=table.num_rows)
    return {"model": model.name, "rows": table.num_rows, "output": str(target)}


def _newest(home: Home, recommender: str) -> RegisteredModel:
    """The champion; before there is one, the newest challenger, because a file is no traffic.

    Raises:
        NotYetThereError: nothing was trained yet.
    """
    model = champion(home, recommender) or with_alias(home, recommender, "challenger")
    if model is None:
        raise NotYetThereError(
            f"expected a champion of {recommender}, found none; "
            f"run `letterpress promote --first --recommender {recommender}`."
        )
    return model


def _useful(columns: Mapping[str, str]) -> dict[str, str]:
    """Those of `columns` that scores may depend on, so that `import` and `score` can be told alike.

    What a test counted is not among them, because a text is scored before that is known.
    """
    only_imported = set(ab_test.COLUMNS) - {"text"}
    return {column: name for column, name in columns.items() if column not in only_imported}


def _read(path: Path) -> pa.Table:
    try:
        if not path.name.endswith(".parquet"):
            lines = pyarrow.csv.ParseOptions(delimiter=find_delimiter(path), newlines_in_values=True)
            return pyarrow.csv.read_csv(path, parse_options=lines)
        return pyarrow.parquet.read_table(path)
    except FileNotFoundError as error:
        raise UsageError(f"expected a file to score at {path}, found none; correct the path.") from error
    except pa.ArrowInvalid as error:
        raise UsageError(
            f"expected {path.suffix} in {path}, found: {_plain(error)}. Name another file."
        ) from error


def _plain(error: pa.ArrowInvalid) -> str:
    """The beginning of what Arrow says; behind it, it quotes the file, which may hold anything."""
    text = str(error).partition("\n")[0].partition(": ")
    sentence = text[0] + text[1] + text[2].partition(":")[0] if text[0].startswith("CSV") else "".join(text)
    return sentence[:200].rstrip(".")


def _write(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.tmp")
    try:
        if path.name.endswith(".parquet"):
            pyarrow.parquet.write_table(table, aside)
        else:
            compression = "gzip" if path.name.endswith(".gz") else None
            with pa.output_stream(aside, compression=compression) as stream:
                pyarrow.csv.write_csv(_without_maps(table), stream)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _without_maps(table: pa.Table) -> pa.Table:
    """The table without nested columns, which a CSV cannot hold."""
    return table.drop_columns([field.name for field in table.schema if pa.types.is_nested(field.type)])
