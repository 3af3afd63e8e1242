"""Events without personal data: identifiers hashed, addresses and numbers masked, with the tenant's key.

One definition (`events/personal_data.py`), two forms that agree: whole Arrow tables for ingest, one event or
request for the service. Both leave what is clean as it is, and say how many of what they found where.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from letterpress.events.contact_patterns import CANDIDATE
from letterpress.events.personal_data import (
    IDENTIFIER,
    is_pseudonym,
    mask_text,
    mask_value,
    may_hold_contact,
    pseudonymise,
    pseudonymise_all,
)
from letterpress.events.types import personal_fields
from letterpress.lake.tenant_keys import NO_TENANT, TenantKeys

Findings = Counter[tuple[str, str, str]]
"""How often what was found: (event type, field, one of `personal_data.KINDS`)."""

EXTRA = "extra"
TENANT = "tenant"
_CANDIDATE_IN_JSON = rf"{CANDIDATE}|\\"  # behind an escape may be the beginning of a number
_SAMPLE = 512
_FEW = 4096


def mask_rows(event: str, rows: pa.Table, keys: TenantKeys) -> tuple[pa.Table, Findings]:
    """`rows` of raw without personal data, and what was found. The same table when there was nothing.

    Raises:
        StorageError: a key is needed and cannot be read or made.
    """
    masker = _Masker(event, keys)
    suspects = _suspects(rows, masker.personal)
    if TENANT in suspects:
        rows = _replace(rows, TENANT, _mask_texts(masker, TENANT, rows[TENANT], None))
    tenants = rows[TENANT]
    for name in masker.personal:
        rows = _replace(rows, name, _hash_identifiers(masker, name, rows[name], tenants))
    for name in suspects:
        if name != TENANT:
            mask = _mask_texts if pa.types.is_string(rows[name].type) else _mask_nested
            rows = _replace(rows, name, mask(masker, name, rows[name], tenants))
    return rows, masker.findings


def _suspects(rows: pa.Table, personal: tuple[str, ...]) -> list[str]:
    """The columns with a text that may have to be masked, identifiers apart.

    All texts are searched as one, because setting up a search takes as long as searching thousands of them.
    """
    texts = {name: list(_texts_in(rows[name])) for name in rows.column_names if name not in personal}
    texts = {name: parts for name, parts in texts.items() if parts}
    extra = texts.pop(EXTRA, [])
    found: list[str] = []
    if _holds(CANDIDATE, [part for parts in texts.values() for part in parts]):
        found = [name for name, parts in texts.items() if _holds(CANDIDATE, parts)]
    return [*found, EXTRA] if _holds(_CANDIDATE_IN_JSON, extra) else found


def _texts_in(column: pa.ChunkedArray | pa.Array) -> Iterator[pa.Array]:
    """All texts of a column, however deep in it, in any order; some that are none of its rows, perhaps."""
    kind = column.type
    if isinstance(column, pa.ChunkedArray):
        for chunk in column.chunks:
            yield from _texts_in(chunk)
    elif pa.types.is_string(kind):
        if column.null_count < len(column):
            yield column.drop_null()
    elif pa.types.is_struct(kind):
        for part in kind:
            yield from _texts_in(column.field(part.name))
    elif pa.types.is_map(kind):
        yield from _texts_in(column.keys)
        yield from _texts_in(column.items)
    elif pa.types.is_list(kind):
        yield from _texts_in(column.values)


def _holds(pattern: str, texts: list[pa.Array]) -> bool:
    """Whether one of `texts` matches; they are joined by what ends every match and lets the next begin."""
    if not texts:
        return False
    whole = pa.concat_arrays(texts)
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array([0, len(whole)], pa.int32()), whole), "\n")
    return pc.any(pc.match_substring_regex(joined, pattern)).as_py() is True


def mask_event[T: msgspec.Struct](event: T, keys: TenantKeys, *, like: str = "") -> tuple[T, Findings]:
    """One event without personal data; the same object when it is clean.

    A request is masked `like` the event that it becomes, whose fields it has.

    Raises:
        StorageError: a key is needed and cannot be read or made.
    """
    masker = _Masker(like or str(event.__struct_config__.tag), keys)
    tenant = masker.text(event.tenant, TENANT, NO_TENANT)  # type: ignore[attr-defined]  # every one has it
    changed: dict[str, Any] = {TENANT: tenant}
    for name in event.__struct_fields__:
        value = getattr(event, name)
        if name == TENANT or value is None:
            continue
        if name in masker.personal:
            changed[name] = masker.identifier(value, name, tenant)
        else:
            changed[name] = masker.part(value, name, tenant)
    if all(value is getattr(event, name) for name, value in changed.items()):
        return event, masker.findings
    return msgspec.structs.replace(event, **changed), masker.findings


def needs_masking(event: msgspec.Struct, line: bytes) -> bool:
    """Whether `mask_event` would perhaps change `event`, whose JSON is `line`; never wrongly False."""
    people = _personal(str(event.__struct_config__.tag))
    return any(getattr(event, name) is not None for name in people) or may_hold_contact(line)


def mask_name(name: str, keys: TenantKeys) -> str:
    """The name of a file without personal data; it belongs to no tenant."""
    return mask_text(name, lambda: keys.of(NO_TENANT).pseudonyms, Counter())


class _Masker:
    """Masks the parts of events of one type and counts what it finds."""

    def __init__(self, event: str, keys: TenantKeys) -> None:
        self.event, self.keys = event, keys
        self.personal = _personal(event)
        self.findings: Findings = Counter()

    def text(self, text: str, field: str, tenant: str) -> str:
        found: Counter[str] = Counter()
        masked = mask_text(text, lambda: self.keys.of(tenant).pseudonyms, found)
        self._note(field, found)
        return masked

    def json(self, text: str, field: str, tenant: str) -> str:
        """JSON in a text, as `extra` is in raw; the text itself when it is clean."""
        value = msgspec.json.decode(text)
        masked = self._value(value, field, tenant)
        return text if masked == value else msgspec.json.encode(masked, order="sorted").decode()

    def identifier(self, value: str, field: str, tenant: str) -> str:
        if is_pseudonym(value):
            return value
        self.findings[self.event, field, IDENTIFIER] += 1
        return pseudonymise(value, self.keys.of(tenant).pseudonyms)

    def part(self, value: Any, field: str, tenant: str) -> Any:
        """A value of a typed event; names of the type are no text of a user, keys of a mapping are."""
        if isinstance(value, str):
            return self.text(value, field, tenant)
        if isinstance(value, msgspec.Struct):
            old = {name: getattr(value, name) for name in value.__struct_fields__}
            new = {name: self.part(each, f"{field}.{name}", tenant) for name, each in old.items()}
            kept = all(new[name] is each for name, each in old.items())
            return value if kept else msgspec.structs.replace(value, **new)
        if isinstance(value, dict) and value:
            masked = self._value(value, field, tenant)
            return value if masked == value else masked
        if isinstance(value, list) and value and isinstance(value[0], (str, msgspec.Struct)):
            parts = [self.part(each, field, tenant) for each in value]
            return value if all(new is old for new, old in zip(parts, value, strict=True)) else parts
        return value

    def row(self, value: Any, kind: pa.DataType, field: str, tenant: str) -> Any:
        """A nested value of a raw row as Arrow gives it: the same as `part` of what it was made from."""
        if value is None:
            return None
        if pa.types.is_string(kind):
            return self.text(value, field, tenant)
        if pa.types.is_struct(kind):
            return {
                part.name: self.row(value[part.name], part.type, f"{field}.{part.name}", tenant)
                for part in kind
            }
        if pa.types.is_map(kind):
            return sorted(self._value(dict(value), field, tenant).items())
        if pa.types.is_list(kind) and not pa.types.is_floating(kind.value_type):
            return [self.row(each, kind.value_type, field, tenant) for each in value]
        return value

    def _value(self, value: Any, field: str, tenant: str) -> Any:
        found: Counter[str] = Counter()
        masked = mask_value(value, lambda: self.keys.of(tenant).pseudonyms, found)
        self._note(field, found)
        return masked

    def _note(self, field: str, found: Counter[str]) -> None:
        for kind, times in found.items():
            self.findings[self.event, field, kind] += times


@cache
def _personal(event: str) -> tuple[str, ...]:
    return personal_fields(event)


def _replace(rows: pa.Table, name: str, column: pa.Array | None) -> pa.Table:
    if column is None:
        return rows
    place = rows.schema.get_field_index(name)
    return rows.set_column(place, rows.schema.field(place), column)


def _flat(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _candidates(texts: pa.Array, pattern: str) -> NDArray[np.int64]:
    """The places of texts that match; a text that comes often is looked at once."""
    sample = texts.slice(0, _SAMPLE)
    if len(texts) > _SAMPLE and pc.count_distinct(sample).as_py() < _SAMPLE // 2:
        coded = texts.dictionary_encode()
        if pattern is CANDIDATE and _is_clean(coded.dictionary):
            return np.zeros(0, np.int64)
        match = pc.match_substring_regex(coded.dictionary, pattern)
        if not pc.any(match).as_py():
            return np.zeros(0, np.int64)
        match = match.take(coded.indices)
    else:
        match = pc.match_substring_regex(texts, pattern)
    if not pc.any(match).as_py():
        return np.zeros(0, np.int64)
    return np.flatnonzero(match.fill_null(fill_value=False).to_numpy(zero_copy_only=False))


def _is_clean(texts: pa.Array) -> bool:
    """Whether a few texts are surely no candidates: compiling the pattern would take longer than this."""
    if len(texts) > _FEW:
        return False
    return not may_hold_contact("\n".join(text or "" for text in texts.to_pylist()).encode())


def _put(array: pa.Array, places: NDArray[np.int64], values: pa.Array) -> pa.Array:
    """`array` with `values` at `places`."""
    indices = np.arange(len(array))
    indices[places] = len(array) + np.arange(len(places))
    return pa.concat_arrays([array, values]).take(pa.array(indices))


def _mask_texts(
    masker: _Masker, field: str, column: pa.ChunkedArray, tenants: pa.ChunkedArray | None
) -> pa.Array | None:
    """The column masked, None when it is clean. Without `tenants` it belongs to none."""
    texts = _flat(column)
    places = _candidates(texts, _CANDIDATE_IN_JSON if field == EXTRA else CANDIDATE)
    if len(places) == 0:
        return None
    mask = masker.json if field == EXTRA else masker.text
    chosen = pa.array(places)
    old = texts.take(chosen).to_pylist()
    owners = [NO_TENANT] * len(old) if tenants is None else tenants.take(chosen).to_pylist()
    new = [mask(text, field, tenant) for text, tenant in zip(old, owners, strict=True)]
    return None if new == old else _put(texts, places, pa.array(new, texts.type))


def _mask_nested(
    masker: _Masker, field: str, column: pa.ChunkedArray, tenants: pa.ChunkedArray
) -> pa.Array | None:
    """The column masked, None when no text in it is a candidate or it holds none."""
    nested = _flat(column)
    rows = _candidate_rows(nested, np.arange(len(nested)))
    if len(rows) == 0:
        return None
    places = np.unique(rows)
    chosen = pa.array(places)
    values = nested.take(chosen).to_pylist()
    owners = tenants.take(chosen).to_pylist()
    new = [
        masker.row(value, nested.type, field, tenant) for value, tenant in zip(values, owners, strict=True)
    ]
    return _put(nested, places, pa.array(new, nested.type))


def _candidate_rows(nested: pa.Array, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Out of `rows`, to which the values of `nested` belong, those with a text that is a candidate."""
    kind = nested.type
    if pa.types.is_string(kind):
        return rows[_candidates(nested, CANDIDATE)]
    if pa.types.is_struct(kind):
        return np.concatenate([_candidate_rows(nested.field(part.name), rows) for part in kind])
    if pa.types.is_map(kind) or pa.types.is_list(kind):
        offsets = nested.offsets.to_numpy()
        inner = np.repeat(rows, np.diff(offsets))
        if pa.types.is_list(kind):
            return _candidate_rows(nested.values.slice(offsets[0], len(inner)), inner)
        parts = (nested.keys, nested.items)
        return np.concatenate([_candidate_rows(part.slice(offsets[0], len(inner)), inner) for part in parts])
    return np.zeros(0, np.int64)


def _hash_identifiers(
    masker: _Masker, field: str, column: pa.ChunkedArray, tenants: pa.ChunkedArray
) -> pa.Array | None:
    """The column with pseudonyms, each made once; None when it is empty or hashed already."""
    values = _flat(column)
    if values.null_count == len(values):
        return None
    plain = pc.invert(pc.match_substring_regex(values, r"\Ah1:[0-9a-f]{32}\z")).fill_null(fill_value=False)
    places = np.flatnonzero(plain.to_numpy(zero_copy_only=False))
    if len(places) == 0:
        return None
    chosen = pa.array(places)
    coded, owners = values.take(chosen).dictionary_encode(), _flat(tenants).take(chosen).dictionary_encode()
    pairs = owners.indices.to_numpy().astype(np.int64) * len(coded.dictionary) + coded.indices.to_numpy()
    unique, inverse = np.unique(pairs, return_inverse=True)
    names, texts = owners.dictionary.to_pylist(), coded.dictionary.to_pylist()
    hashed: list[str] = []
    owned, which = np.divmod(unique, len(texts))
    for owner, name in enumerate(names):  # `unique` is sorted by owner
        mine = [texts[text] for text in which[owned == owner].tolist()]
        hashed += pseudonymise_all(mine, masker.keys.of(name).pseudonyms)
    masker.findings[masker.event, field, IDENTIFIER] += len(places)
    pseudonyms = pa.array(hashed, values.type)
    return _put(values, places, pseudonyms.take(pa.array(inverse)))
