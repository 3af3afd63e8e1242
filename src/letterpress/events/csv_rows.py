"""Rows of a CSV file, plain or .gz, with their numbers; what is damaged is a bad line, not an error."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from letterpress.errors import UsageError
from letterpress.events.codec import REASONS, BadLine


def open_text(path: Path) -> TextIO:
    """The file as text; bytes that are not UTF-8 are written as escapes."""
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="backslashreplace", newline="")
    return path.open(encoding="utf-8-sig", errors="backslashreplace", newline="")


DELIMITERS = (",", ";", "\t")
_LONGEST_HEADER = 65_536


def find_delimiter(path: Path) -> str:
    """What the columns of the file are parted by: what its first line has most of, the comma on ties.

    Programs write semicolons where the comma is the decimal sign of the country.
    """
    with open_text(path) as stream:
        try:
            line = stream.readline(_LONGEST_HEADER)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            return DELIMITERS[0]  # whoever reads on says what is wrong
    return max(DELIMITERS, key=lambda each: len(next(csv.reader([line], delimiter=each), [])))


def read_header(reader: Iterator[list[str]], path: Path) -> list[str]:
    """The first row; empty when the file is.

    Raises:
        UsageError: the gzip stream is damaged before its end.
    """
    try:
        return next(reader, [])
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise UsageError(
            f"expected a gzip file, found {path} damaged in its first bytes; get it again."
        ) from None
    except csv.Error as error:
        raise UsageError(f"expected a row of column names in {path}, found: {error}; correct it.") from None


def number_rows(reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str] | BadLine]]:
    """Rows with their numbers from 1 on, without empty ones; a damaged file ends with a bad line."""
    number = 0
    while True:
        number += 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield number, BadLine("", number, "bad_row", None, str(error))
            continue
        except EOFError:
            yield number, BadLine("", number, "truncated_file", None, REASONS["truncated_file"])
            return
        except (zlib.error, gzip.BadGzipFile):
            yield number, BadLine("", number, "corrupt_file", None, REASONS["corrupt_file"])
            return
        if row is None:
            return
        if row:
            yield number, row
