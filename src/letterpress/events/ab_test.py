"""Tables of A/B tests as native events: a row an arm, with its text, its impressions and its clicks.

A test becomes a slate of all its arms, shown by a policy that favours none, and an arm becomes an item with
its text as a label. What the table says of a test's worth is kept as labels of the campaign: `trusted` as the
table has it, and `duplicate_arms` where two arms do not differ in anything that was tested. A table tells no
time but a week at most, so the events of a test occur when that week begins, and its counts are known when
it is over. Which arm was the original is not said, so the experiment of the slate names none.

Tables number their tests alike, so a test is known by its name and the texts of its arms together: the same
table again is known, and another one is not.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from letterpress.errors import UsageError
from letterpress.events.codec import BadLine
from letterpress.events.csv_rows import find_delimiter, number_rows, open_text, read_header
from letterpress.events.parquet_rows import ROWS_AT_ONCE, open_table
from letterpress.events.types import (
    AnyEvent,
    CampaignContext,
    Experiment,
    Item,
    Outcome,
    OutcomeKind,
    ShownItem,
    Slate,
)

RECOMMENDER = "subject_line"
TENANT = "ab_test"
SLOT = "subject"
POLICY = "ab_test"
SUFFIXES = (".csv", ".csv.gz", ".parquet")
NO_WEEK = datetime(2000, 1, 3, tzinfo=UTC)
"""When a test is said to have been where the table names no week."""
WEEK = timedelta(days=7)
MAX_ARMS = 1000
MARK = "~"
"""Between the name of a test and the digest of its texts."""
MOST_SENT = 10**12

COLUMNS: dict[str, tuple[str, ...]] = {
    "test": ("clickability_test_id", "test_id", "experiment_id", "test"),
    "text": ("headline", "subject_line", "subject", "text", "title"),
    "impressions": ("impressions", "delivered", "sent", "recipients"),
    "clicks": ("clicks", "clicked"),
    "week": ("test_week", "week"),
    "picture": ("eyecatcher_id", "picture_id", "image_id"),
    "trusted": ("trusted",),
}
"""Names by which each column is found, the first that is there."""
REQUIRED = ("test", "text", "impressions", "clicks")
_UNTRUE = ("0", "f", "n", "no")
"""What else tables write for `false`."""
_ALSO_TESTED = ("lede", "excerpt")


@dataclass(frozen=True, slots=True)
class _Arm:
    text: str
    picture: str
    tested: tuple[str, ...]
    """Everything in which arms may differ."""
    impressions: int
    clicks: int


def find_ab_tables(path: Path) -> list[Path]:
    """The table at `path`, or all that lie in the folder at any depth.

    Raises:
        UsageError: there is none.
    """
    candidates = [path] if path.is_file() else sorted(path.rglob("*")) if path.is_dir() else []
    tables = [each for each in candidates if each.is_file() and each.name.endswith(SUFFIXES)]
    if not tables:
        raise UsageError(f"expected a table ({', '.join(SUFFIXES)}) at {path}, found none; correct the path.")
    return tables


def convert_ab_tests(
    path: Path,
    *,
    recommender: str = RECOMMENDER,
    tenant: str = TENANT,
    columns: Mapping[str, str] | None = None,
    bare: Mapping[str, Set[str]] | None = None,
) -> Iterator[AnyEvent | BadLine]:
    """Items, slate and outcomes of each test; an arm that cannot be one is a bad line.

    `columns` are the table's names of columns of `COLUMNS` that are not found by themselves; `bare` the texts
    of tests that are known by their names alone, and stay so.

    Raises:
        UsageError: the file cannot be read, or a column is missing.
    """
    found = find_columns(read_names(path), path, columns)
    names = {"recommender": recommender, "tenant": tenant}
    tests: dict[str, tuple[list[_Arm], dict[str, Any]]] = {}
    for number, row in _read_rows(path):
        if isinstance(row, BadLine):
            yield row
            continue
        arm = _read_arm(row, found, number)
        if isinstance(arm, BadLine):
            yield arm
            continue
        arms, _ = tests.setdefault(str(row[found["test"]]), ([], row))
        if len(arms) < MAX_ARMS:
            arms.append(arm)
        else:
            yield _bad(row, number, found["test"], f"expected at most {MAX_ARMS} arms of a test")
    for name, (arms, row) in tests.items():
        test = name_test(name, [arm.text for arm in arms], bare or {})
        yield from _events_of(test, arms, _context(test, arms, row, found), _week_of(row, found), names)


def name_test(name: str, texts: Iterable[str], bare: Mapping[str, Set[str]]) -> str:
    """The id of a test: its name and a digest of its texts in any order; the name alone if `bare` knows it.

    >>> name_test("7", ["One", "Two"], {}) == name_test("7", ["Two", "One"], {})
    True
    >>> name_test("7", ["One", "Two"], {"7": {"Two"}})
    '7'
    """
    ordered = sorted(texts)
    if not bare.get(name, frozenset()).isdisjoint(ordered):
        return name
    digest = hashlib.sha256("\0".join(ordered).encode("utf-8", "backslashreplace"))
    return f"{name}{MARK}{digest.hexdigest()[:10]}"


def read_names(path: Path) -> list[str]:
    """The names of the columns of the table in `path`.

    Raises:
        UsageError: it is neither Parquet nor CSV.
    """
    if path.name.endswith(".parquet"):
        with open_table(path) as table:
            return list(table.schema_arrow.names)
    with open_text(path) as stream:
        return read_header(csv.reader(stream, delimiter=find_delimiter(path)), path)


def _read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any] | BadLine]]:
    """Rows by column, with their numbers from 1 on."""
    if path.name.endswith(".parquet"):
        with open_table(path) as table:
            batches = table.iter_batches(batch_size=ROWS_AT_ONCE)
            yield from enumerate((row for batch in batches for row in batch.to_pylist()), start=1)
        return
    with open_text(path) as stream:
        reader = csv.reader(stream, delimiter=find_delimiter(path))
        header = read_header(reader, path)
        for number, row in number_rows(reader):
            if isinstance(row, list) and len(row) != len(header):
                reason = f"expected {len(header)} fields, found {len(row)}"
                yield number, BadLine(",".join(row), number, "bad_row", None, reason)
            else:
                yield number, row if isinstance(row, BadLine) else dict(zip(header, row, strict=True))


def find_columns(names: list[str], path: Path, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The table's name of each column of `COLUMNS` that it has; `given` ones go before what is known.

    Raises:
        UsageError: a required one is missing, or a given one is.
    """
    given = given or {}
    for column, name in given.items():
        if column not in COLUMNS or name not in names:
            raise UsageError(
                f"expected --column out of {', '.join(COLUMNS)}, as in test=NAME, with a NAME out of "
                f"{_list(names)}; found {column}={name}."
            )
    found = {
        column: next(each for each in known if each in names)
        for column, known in COLUMNS.items()
        if set(known) & set(names)
    } | dict(given)
    missing = [column for column in REQUIRED if column not in found]
    if missing:
        wanted = "; ".join(f"{column}: {' or '.join(COLUMNS[column])}" for column in missing)
        raise UsageError(f"expected more columns in {path} ({wanted}), found {_list(names)}.")
    return found


def _list(names: list[str]) -> str:
    return ", ".join(names) or "none"


def _bad(row: Mapping[str, Any], number: int, field: str, reason: str) -> BadLine:
    return BadLine(",".join(str(value) for value in row.values()), number, "bad_row", field, reason)


def _read_arm(row: Mapping[str, Any], found: Mapping[str, str], number: int) -> _Arm | BadLine:
    for column in ("test", "text"):
        if not str(row[found[column]] or "").strip():
            return _bad(row, number, found[column], "expected a text")
    counts: dict[str, int] = {}
    for column in ("impressions", "clicks"):
        count = _as_count(row[found[column]])
        if count is None:
            return _bad(row, number, found[column], f"expected a whole number from 0 to {MOST_SENT:,}")
        counts[column] = count
    if counts["clicks"] > counts["impressions"]:
        return _bad(row, number, found["clicks"], "expected no more clicks than impressions")
    text = " ".join(str(row[found["text"]]).split())
    picture = str(row[found["picture"]] or "") if "picture" in found else ""
    tested = (text, picture, *(str(row.get(name) or "") for name in _ALSO_TESTED))
    return _Arm(text, picture, tested, counts["impressions"], counts["clicks"])


def _as_count(value: object) -> int | None:
    """A whole number, as such, as a float or as text."""
    text = str(value).strip()
    whole = text.removesuffix(".0") if isinstance(value, float) else text
    if not whole.isascii() or not whole.isdigit() or len(whole) > 15:
        return None
    return int(whole) if int(whole) <= MOST_SENT else None


def _context(
    test: str, arms: list[_Arm], row: Mapping[str, Any], found: Mapping[str, str]
) -> CampaignContext:
    labels = {}
    if "trusted" in found and row[found["trusted"]] not in (None, ""):
        said = str(row[found["trusted"]]).strip().lower()
        labels["trusted"] = "false" if said in _UNTRUE else said
    if len({arm.tested for arm in arms}) < len(arms):
        labels["duplicate_arms"] = "true"
    return CampaignContext(campaign_id=test, labels=labels)


def _week_of(row: Mapping[str, Any], found: Mapping[str, str]) -> datetime:
    """The Monday of a week such as 201446, in UTC."""
    text = str(row[found["week"]]) if "week" in found else ""
    if len(text) != 6 or not text.isascii() or not text.isdigit():
        return NO_WEEK
    year, week = int(text[:4]), int(text[4:])
    try:
        return datetime.fromisocalendar(year, min(max(week, 1), 52), 1).replace(tzinfo=UTC)
    except ValueError:
        return NO_WEEK


def _events_of(
    test: str, arms: list[_Arm], context: CampaignContext, at: datetime, names: Mapping[str, str]
) -> Iterator[AnyEvent]:
    envelope: dict[str, Any] = {**names, "occurred_at": at, "received_at": at}
    item_ids = [f"{test}-{number}" for number in range(1, len(arms) + 1)]
    for item_id, arm in zip(item_ids, arms, strict=True):
        labels = {"text": arm.text} | ({"picture": arm.picture} if arm.picture else {})
        yield Item(
            event_id=f"{item_id}-item", item_id=item_id, kind="subject_line", labels=labels, **envelope
        )
    shown = [
        ShownItem(item_id=item_id, position=position, propensity=1.0 / len(arms))
        for position, item_id in enumerate(item_ids, start=1)
    ]
    yield Slate(
        event_id=f"{test}-slate",
        slate_id=test,
        campaign=context,
        slot=SLOT,
        policy=POLICY,
        items=shown,
        experiment=Experiment(experiment_id=test),
        **envelope,
    )
    for item_id, arm in zip(item_ids, arms, strict=True):
        counts: tuple[tuple[OutcomeKind, int], ...] = (
            ("delivered", arm.impressions),
            ("clicked", arm.clicks),
        )
        for kind, count in counts:
            if count:
                yield Outcome(
                    event_id=f"{item_id}-{kind}",
                    slate_id=test,
                    item_id=item_id,
                    kind=kind,
                    count=count,
                    experiment_id=test,
                    **envelope | {"received_at": at + WEEK},
                )
