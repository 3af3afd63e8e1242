"""Tables of A/B tests as native events: a row an arm, with its text, its impressions and its clicks.

A test becomes a slate of all its arms, shown by a policy that favours none, and an arm becomes an item with
its text as a label. What the table says of a test's worth is kept as labels of the campaign: `trusted` as the
table has it, and `duplicate_arms` where two arms do not differ in anything that was tested. A table tells no
time but a week at most, so the events of a test occur when that week begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from letterpress.errors import UsageError
from letterpress.events.codec import BadLine
from letterpress.events.types import AnyEvent, CampaignContext, Item, Outcome, OutcomeKind, ShownItem, Slate

RECOMMENDER = "subject_line"
TENANT = "ab_test"
SLOT = "subject"
POLICY = "ab_test"
SUFFIXES = (".csv", ".csv.gz", ".parquet")
NO_WEEK = datetime(2000, 1, 3, tzinfo=UTC)
"""When a test is said to have been where the table names no week."""
MAX_ARMS = 1000

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


def convert_ab_tests(path: Path) -> Iterator[AnyEvent | BadLine]:
    """Items, slate and outcomes of each test; an arm that cannot be one is a bad line.

    Raises:
        UsageError: the file cannot be read, or a column is missing.
    """
    table = read_ab_table(path)
    found = find_columns(table.column_names, path)
    tests: dict[str, tuple[list[_Arm], dict[str, Any]]] = {}
    for number, row in enumerate(table.to_pylist(), start=1):
        arm = _read_arm(row, found, number)
        if isinstance(arm, BadLine):
            yield arm
            continue
        arms, _ = tests.setdefault(str(row[found["test"]]), ([], row))
        if len(arms) < MAX_ARMS:
            arms.append(arm)
        else:
            yield _bad(row, number, found["test"], f"expected at most {MAX_ARMS} arms of a test")
    for test, (arms, row) in tests.items():
        yield from _events_of(test, arms, _context(test, arms, row, found), _week_of(row, found))


def read_ab_table(path: Path) -> pa.Table:
    """The table in `path`.

    Raises:
        UsageError: it is neither Parquet nor CSV.
    """
    try:
        if path.name.endswith(".parquet"):
            return pyarrow.parquet.read_table(path)
        lines = pyarrow.csv.ParseOptions(newlines_in_values=True)
        return pyarrow.csv.read_csv(path, parse_options=lines)
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).partition("\n")[0].partition(":")[0]
        raise UsageError(f"expected a table in {path}, found: {reason}. Name another file.") from error


def find_columns(names: list[str], path: Path) -> dict[str, str]:
    """The table's name of each column of `COLUMNS` that it has.

    Raises:
        UsageError: a required one is missing.
    """
    found = {
        column: next(each for each in known if each in names)
        for column, known in COLUMNS.items()
        if set(known) & set(names)
    }
    missing = [column for column in REQUIRED if column not in found]
    if missing:
        wanted = "; ".join(f"{column}: {' or '.join(COLUMNS[column])}" for column in missing)
        raise UsageError(f"expected more columns in {path} ({wanted}), found {', '.join(names)}.")
    return found


def _bad(row: Mapping[str, Any], number: int, field: str, reason: str) -> BadLine:
    return BadLine(",".join(str(value) for value in row.values()), number, "bad_row", field, reason)


def _read_arm(row: Mapping[str, Any], found: Mapping[str, str], number: int) -> _Arm | BadLine:
    for column in ("test", "text"):
        if not str(row[found[column]] or "").strip():
            return _bad(row, number, found[column], "expected a text")
    counts = {column: row[found[column]] for column in ("impressions", "clicks")}
    for column, value in counts.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            return _bad(row, number, found[column], "expected a whole number of 0 or more")
    if counts["clicks"] > counts["impressions"]:
        return _bad(row, number, found["clicks"], "expected no more clicks than impressions")
    text = " ".join(str(row[found["text"]]).split())
    picture = str(row[found["picture"]] or "") if "picture" in found else ""
    tested = (text, picture, *(str(row.get(name) or "") for name in _ALSO_TESTED))
    return _Arm(text, picture, tested, counts["impressions"], counts["clicks"])


def _context(
    test: str, arms: list[_Arm], row: Mapping[str, Any], found: Mapping[str, str]
) -> CampaignContext:
    labels = {}
    if "trusted" in found and row[found["trusted"]] is not None:
        labels["trusted"] = str(row[found["trusted"]]).lower()
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


def _events_of(test: str, arms: list[_Arm], context: CampaignContext, at: datetime) -> Iterator[AnyEvent]:
    envelope: dict[str, Any] = {
        "tenant": TENANT,
        "recommender": RECOMMENDER,
        "occurred_at": at,
        "received_at": at,
    }
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
                    **envelope,
                )
