"""Searches every byte under a folder for words, whatever they are wrapped in."""

from __future__ import annotations

import base64
import gzip
import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard


def forms_of(word: str) -> set[bytes]:
    """How `word` may be spelt: plain, as JSON and URLs escape it, in UTF-16, and in the middle of base64."""
    plain = word.encode()
    spelt = {plain, json.dumps(word)[1:-1].encode(), word.encode("utf-16-le")}
    spelt |= {quote(word, safe=safe).encode() for safe in ("", "/", "@", "+")}
    for shift in range(3):  # the first and the last digits depend on the neighbours
        coded = base64.b64encode(bytes(shift) + plain)
        spelt |= {coded[4:-4], coded[4:-4].translate(bytes.maketrans(b"+/", b"-_"))}
    return {form for form in spelt if len(form) >= 6}


def texts_of(path: Path) -> Iterator[bytes]:
    """The bytes of a file and, where they are packed, what they say."""
    content = path.read_bytes()
    yield content
    if content[:2] == b"\x1f\x8b":
        yield gzip.decompress(content)
    elif content[:4] == b"\x28\xb5\x2f\xfd":
        yield zstandard.ZstdDecompressor().decompressobj().decompress(content)
    elif content[:4] == b"PAR1":
        yield _unpacked(pq.ParquetFile(path).read())
    elif content[:15] == b"SQLite format 3":
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            yield "\n".join(connection.iterdump()).encode()
    elif path.suffix == ".duckdb":
        with duckdb.connect(str(path), read_only=True) as connection:
            tables = connection.execute("select schema_name, table_name from duckdb_tables()").fetchall()
            for schema, table in tables:
                yield _unpacked(connection.table(f'"{schema}"."{table}"').to_arrow_table())


def _unpacked(table: pa.Table) -> bytes:
    """Names of columns and texts of all columns, nested ones too, as they lie in memory."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


def places_of(words: Iterable[str], root: Path) -> dict[str, set[str]]:
    """For every word that is found under `root` the files that hold it, in their name or their content."""
    spellings = {word: forms_of(word) for word in words}
    found: dict[str, set[str]] = {}
    for path in sorted(each for each in root.rglob("*") if each.is_file()):
        name = str(path.relative_to(root))
        for text in (name.encode(), *texts_of(path)):
            for word, forms in spellings.items():
                if any(form in text for form in forms):
                    found.setdefault(word, set()).add(name)
    return found
