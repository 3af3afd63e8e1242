"""Where texts of raw mention somebody who is to be forgotten, and what stands there afterwards.

A recipient who was sent in another field than the declared ones is in raw as a token, as a pseudonym, or as
it was sent. What only this recipient is called is overwritten wherever it stands. A plain name is overwritten
in `extra`, which nothing is built on, and elsewhere when it is no everyday word and no small number: somebody
called `hero` must not take the slots of that name along. What stays is told by `find_mentions`.
"""

from __future__ import annotations

import hmac
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from letterpress.events.personal_data import LONGEST_IDENTIFIER, mask_text, pseudonymise
from letterpress.lake.masking import EXTRA
from letterpress.lake.parquet_file import read_texts
from letterpress.lake.rewrite import Mask, raw_files
from letterpress.lake.subject import SHORTEST, Subject
from letterpress.lake.tenant_keys import TenantKeys, key_id_of
from letterpress.settings import Home

_TOKEN_DIGITS = 16
_DISTINCTIVE, _LONG_NUMBER = 6, 9


@dataclass(frozen=True)
class Names:
    """What a subject is called in raw: `sure` names are nobody else's, `plain` ones may be words."""

    sure: frozenset[str]
    plain: frozenset[str]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Finds every name; a plain one only where it is not part of a longer word."""
        sure = [re.escape(name) for name in sorted(self.sure)]
        plain = [rf"(?<!\w){re.escape(name)}(?!\w)" for name in sorted(self.plain)]
        return re.compile("|".join([*sure, *plain]), re.ASCII)

    @cached_property
    def candidate(self) -> str:
        """RE2: matches every text, and every JSON of a text, that holds a name."""
        both = self.sure | self.plain
        spelt = both | {msgspec.json.encode(name).decode()[1:-1] for name in both}
        return "|".join(_escape(name) for name in sorted(spelt))

    def in_field(self, column: str) -> Names:
        """Those that are overwritten in `column`."""
        if column == EXTRA:
            return self
        return Names(self.sure, frozenset(name for name in self.plain if is_distinctive(name)))

    def __bool__(self) -> bool:
        return bool(self.sure or self.plain)


def is_distinctive(name: str) -> bool:
    """Whether a text that holds `name` surely speaks of the person: it is no word and no small number.

    >>> [is_distinctive(name) for name in ("u-4711", "hero", "20260105", "491711234567")]
    [True, False, False, True]
    """
    if name.isdigit():
        return len(name) >= _LONG_NUMBER
    return len(name) >= _DISTINCTIVE and any(each.isdigit() for each in name)


def names_of(subject: Subject, tenants: Iterable[str], keys: TenantKeys) -> Names:
    """What the subject is called in rows of `tenants`; a destroyed key's names are nobody's any more."""
    plain = frozenset(name for name in subject.spellings if len(name.encode()) >= SHORTEST)
    if subject.recipient is None:
        return Names(frozenset(), plain)
    return Names(pseudonyms_of(subject, tenants, keys) | _tokens_of(subject, tenants, keys), plain)


def pseudonyms_of(subject: Subject, tenants: Iterable[str], keys: TenantKeys) -> frozenset[str]:
    """What declared fields of `tenants` hold in place of the recipient."""
    found = {pseudonymise(name, key) for key in _keys(tenants, keys) for name in subject.spellings}
    return frozenset(found)


def _tokens_of(subject: Subject, tenants: Iterable[str], keys: TenantKeys) -> frozenset[str]:
    """What other texts of `tenants` hold in place of a recipient who is called by an address or a number."""
    found = {
        mask_text(name, lambda key=key: key, Counter())  # type: ignore[misc]  # bound now, not later
        for key in _keys(tenants, keys)
        for name in subject.spellings
    }
    return frozenset(found - set(subject.spellings))


def _keys(tenants: Iterable[str], keys: TenantKeys) -> Iterator[bytes]:
    for tenant in tenants:
        key = keys.find(key_id_of(tenant))
        if key is not None:
            yield key.pseudonyms


@dataclass(frozen=True)
class Overwriting:
    """Puts tokens in place of names: equal names by equal ones, so that ids that held one still join.

    The key, one a forgetting, is never written: nobody gets from a token to a name.
    """

    names: Names
    _key: bytes = field(repr=False)

    def column(self, name: str, column: pa.ChunkedArray, rows: Mask) -> pa.Array:
        """The column `name` of raw, written anew in `rows`."""
        values = column.combine_chunks()
        places = np.flatnonzero(rows)
        old = values.take(pa.array(places)).to_pylist()
        new = pa.array([self.value(value, name) for value in old], column.type)
        indices = np.arange(len(values))
        indices[places] = len(values) + np.arange(len(places))
        return pa.concat_arrays([values, new]).take(pa.array(indices))

    def text(self, text: str, column: str) -> str:
        """`text` of a column without the names."""
        names = self.names.in_field(column)
        if not names:
            return text
        written = names.pattern.sub(lambda found: self._token(found[0]), text)
        return self._token(text) if len(written) > LONGEST_IDENTIFIER >= len(text) else written

    def value(self, value: Any, column: str) -> Any:
        """The same of a nested value as Arrow gives it; `extra` is JSON in a text."""
        if isinstance(value, str):
            if column != EXTRA:
                return self.text(value, column)
            read = msgspec.json.decode(value)
            written = self._json(read)
            return value if written == read else msgspec.json.encode(written, order="sorted").decode()
        if isinstance(value, dict):
            return {name: self.value(each, column) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.value(each, column) for each in value)
        return value

    def _json(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value, EXTRA)
        if isinstance(value, dict):
            return {self.text(name, EXTRA): self._json(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._json(each) for each in value]
        if isinstance(value, int | float) and str(value) in self.names.plain:
            return self._token(str(value))
        return value

    def _token(self, name: str) -> str:
        return f"[forgotten:{hmac.digest(self._key, name.encode(), 'sha256').hex()[:_TOKEN_DIGITS]}]"


def rows_to_overwrite(
    texts: pa.Table, of_subject: Mask, overwriting: Overwriting, declared: Iterable[str]
) -> dict[str, Mask]:
    """By column, which rows hold a name that is to be overwritten; `declared` columns become null instead."""
    skipped = {*declared, "tenant"}
    found: dict[str, Mask] = {}
    for name in texts.column_names:
        if name in skipped or not overwriting.names:
            continue
        places = _candidates(texts[name], of_subject, overwriting.names)
        values = texts[name].combine_chunks().take(pa.array(places)).to_pylist()
        changed = [overwriting.value(value, name) != value for value in values]
        if any(changed):
            found[name] = np.zeros(len(texts), bool)
            found[name][places[np.array(changed)]] = True
    return found


def find_mentions(home: Home, subject: Subject, keys: TenantKeys) -> list[str]:
    """What in raw still names the subject, by event type and column; a search through every text.

    Raises:
        StorageError: a file of raw is damaged.
    """
    found: Counter[tuple[str, str]] = Counter()
    for path in raw_files(home):
        texts = read_texts(path)
        of_subject = np.ones(len(texts), bool)
        if subject.kind == "recipient" and subject.tenant is not None:
            of_subject = pc.equal(texts["tenant"], subject.tenant).to_numpy()
        names = names_of(subject, texts["tenant"].unique().to_pylist(), keys)
        if names:
            for name in texts.column_names:
                found[path.stem, name] += _count(texts[name], name, of_subject, names)
    return [f"raw: {rows} {event} events in {name}" for (event, name), rows in sorted(found.items()) if rows]


def _count(column: pa.ChunkedArray, name: str, of_subject: Mask, names: Names) -> int:
    places = _candidates(column, of_subject, names)
    values = column.combine_chunks().take(pa.array(places)).to_pylist()
    read = [msgspec.json.decode(value) for value in values] if name == EXTRA else values
    return sum(any(names.pattern.search(text) for text in _texts_of(value)) for value in read)


def _texts_of(value: Any) -> Iterator[str]:
    """Every text in a nested value, names of fields too; numbers as they are written."""
    if isinstance(value, dict):
        yield from value
    if isinstance(value, dict | list | tuple):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts_of(each)
    elif value is not None:
        yield str(value)


def _candidates(column: pa.ChunkedArray, of_subject: Mask, names: Names) -> NDArray[np.int64]:
    """Rows with a text that may hold a name, in order."""
    rows = np.flatnonzero(of_subject)
    if len(rows) == 0:
        return rows
    nested = column.combine_chunks().take(pa.array(rows))
    return np.unique(_matching(nested, rows, names.candidate))


def _matching(nested: pa.Array, rows: NDArray[np.int64], pattern: str) -> NDArray[np.int64]:
    """Out of `rows`, to which the values of `nested` belong, those with a text that matches."""
    kind = nested.type
    if pa.types.is_string(kind):
        match = pc.fill_null(pc.match_substring_regex(nested, pattern), fill_value=False)
        matching: NDArray[np.int64] = rows[match.to_numpy(zero_copy_only=False)]
        return matching
    if pa.types.is_struct(kind):
        parts = [_matching(nested.field(part.name), rows, pattern) for part in kind]
        return np.concatenate([*parts, np.zeros(0, np.int64)])
    if pa.types.is_map(kind) or pa.types.is_list(kind):
        offsets = nested.offsets.to_numpy()
        inner = np.repeat(rows, np.diff(offsets))
        lists = [nested.keys, nested.items] if pa.types.is_map(kind) else [nested.values]
        return np.concatenate(
            [_matching(part.slice(offsets[0], len(inner)), inner, pattern) for part in lists]
        )
    return np.zeros(0, np.int64)


def _escape(name: str) -> str:
    """`name` for RE2, which does not know every escape that Python writes."""
    return "".join(each if each.isalnum() or not each.isascii() else f"\\x{ord(each):02x}" for each in name)
