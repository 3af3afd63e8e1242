"""Training data that cannot teach or judge is refused by name at the command line, and nothing is lost."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from letterpress.cli.application import build_app, run_app
from letterpress.features import feature_names, schema_hash
from letterpress.lake.snapshot_layout import CURRENT, MANIFEST, encode_manifest, hash_file, snapshot_id
from letterpress.lake.snapshots import Snapshot
from letterpress.recommenders import get_recommender
from letterpress.registry.store import champion, make_champion, model_version, register, versions
from letterpress.settings import Settings

PICTURES = "image_enhancement"
Change = Callable[[pa.Table], pa.Table]


@pytest.fixture
def settings(trained_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A copy of a home with popularity as the champion and a ranker trained, found by the command line."""
    ignored = shutil.ignore_patterns("raw", "*.duckdb", "landing", "airflow", "site")
    shutil.copytree(trained_home, tmp_path / "var", ignore=ignored)
    monkeypatch.setenv("LETTERPRESS_HOME", str(tmp_path / "var"))
    return Settings(home=tmp_path / "var")


def publish_changed(settings: Settings, change: Change) -> str:
    """The id of a new current snapshot: the last one with half of its training slates, and those changed."""
    old = Snapshot.open(settings.paths)
    staged = settings.paths.snapshots / "staged"
    shutil.copytree(settings.paths.snapshots / old.snapshot_id, staged)
    path = staged / old.training_path(PICTURES).relative_to(settings.paths.snapshots / old.snapshot_id)
    half = pq.read_table(path).filter(pc.match_substring_regex(pc.field("slate_id"), "[02468]$"))
    pq.write_table(change(half), path)
    files = old.manifest.files | {str(path.relative_to(staged)): hash_file(path)}
    manifest = msgspec.structs.replace(old.manifest, files=files)
    (staged / MANIFEST).write_bytes(encode_manifest(manifest))
    staged.rename(settings.paths.snapshots / snapshot_id(manifest))
    current = settings.paths.snapshots / CURRENT
    said = msgspec.json.decode(current.read_bytes())
    current.write_bytes(msgspec.json.encode(said | {"snapshot": snapshot_id(manifest)}))
    return snapshot_id(manifest)


def with_column(table: pa.Table, name: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    place = table.column_names.index(name)
    return table.set_column(place, name, values.cast(table.schema.field(name).type))


def constant(name: str, value: object) -> Change:
    return lambda table: with_column(table, name, pa.array([value] * len(table)))


def without_clicks(table: pa.Table) -> pa.Table:
    return constant("clicked", 0)(table)


def with_one_item_a_slate(table: pa.Table) -> pa.Table:
    return table.filter(pc.equal(table["position"], 1))


def with_equal_labels(table: pa.Table) -> pa.Table:
    labels = {
        "chosen": 1,
        "delivered": 100,
        "clicked": 3,
        "converted": 1,
        "unsubscribed": 0,
        "email_score": 50,
    }
    for name, value in labels.items():
        table = constant(name, value)(table)
    return table


def of_one_campaign(table: pa.Table) -> pa.Table:
    return constant("campaign_id", "the-only-one")(constant("tenant", "alder")(table))


def with_logged_features(value: float | None) -> Change:
    recommender = get_recommender(PICTURES)
    row = [value] * len(feature_names(recommender))

    def change(table: pa.Table) -> pa.Table:
        table = constant("logged_schema_hash", schema_hash(recommender))(table)
        return with_column(
            table, "logged_features", pa.array([row] * len(table), table.schema.field("logged_features").type)
        )

    return change


def of_the_last_hours(table: pa.Table) -> pa.Table:
    newest = pc.max(table["shown_at"]).as_py()
    return table.filter(pc.greater(table["shown_at"], pa.scalar(newest - timedelta(hours=12))))


REFUSED_IN_TRAINING: dict[str, tuple[Change, str]] = {
    "no clicks": (without_clicks, "expected clicks to learn from, found none in .*; wait for outcomes"),
    "one item a slate": (with_one_item_a_slate, "found one item in each of .*; declare judge='snips'"),
    "all labels equal": (
        with_equal_labels,
        "expected gains that differ, found .*; check the declared",
    ),
    "constant features": (with_logged_features(5.0), "constant or missing; .*`letterpress features --list`"),
    "missing features": (with_logged_features(None), "constant or missing; .*`letterpress features --list`"),
    "a single campaign": (of_one_campaign, "of 1 campaigns .*Collect a longer log with more campaigns"),
    "no closed window": (
        of_the_last_hours,
        "expected slates older than the 24 h .*; wait for their out",
    ),
}


@pytest.mark.parametrize("name", REFUSED_IN_TRAINING)
def test_what_cannot_teach_is_refused_with_the_next_step_and_the_champion_stays(
    name: str, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    change, sentence = REFUSED_IN_TRAINING[name]
    before = (champion(settings.paths, PICTURES), versions(settings.paths, PICTURES))
    spoilt = publish_changed(settings, change)

    assert run_app(build_app(), ["train", "--recommender", PICTURES]) == 1

    lines = capsys.readouterr().err.splitlines()
    (said,) = [line for line in lines if line.startswith("Not enough data: ")]
    assert said == lines[-1]
    assert re.search(sentence, said), said
    assert (champion(settings.paths, PICTURES), versions(settings.paths, PICTURES)) == before
    assert Snapshot.open(settings.paths).snapshot_id == spoilt


def register_again(settings: Settings, **changes: object) -> int:
    """The version of the ranker that was trained, with another manifest."""
    old = model_version(settings.paths, PICTURES, 2).open_bundle()
    bundle = replace(old, manifest=msgspec.structs.replace(old.manifest, **changes))
    path = bundle.save(settings.paths.registry / "bundles" / PICTURES)
    return register(settings.paths, PICTURES, path, {}, {})


@pytest.mark.parametrize("chance", [float("nan"), 0.0])
def test_a_log_that_does_not_say_who_ordered_it_gives_no_verdict(
    chance: float, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    version = register_again(settings, snapshot=publish_changed(settings, constant("propensity", chance)))
    before = champion(settings.paths, PICTURES)

    assert run_app(build_app(), ["evaluate", "--recommender", PICTURES, "--version", str(version)]) == 1

    said = capsys.readouterr().out
    assert "refuse. not enough evidence: expected propensities above 0" in said
    assert "log propensities with the slates, `letterpress ingest`, and train again" in said
    assert champion(settings.paths, PICTURES) == before


def test_slates_older_than_what_the_champion_learnt_from_give_no_verdict(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    learnt = {part: {"last": "2026-02-08T12:00:00+00:00"} for part in ("train", "valid")}
    newer = register_again(settings, training=learnt)
    make_champion(settings.paths, PICTURES, newer)

    assert run_app(build_app(), ["evaluate", "--recommender", PICTURES, "--version", "2"]) == 1

    said = capsys.readouterr().out
    assert "refuse. not enough evidence: expected test slates later than 2026-02-08 12:00" in said
    assert "train a challenger on the newest snapshot, `letterpress train`" in said
    standing = champion(settings.paths, PICTURES)
    assert standing is not None
    assert standing.version == newer
