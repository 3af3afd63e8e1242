"""A small home with a published snapshot and models, made of seeded noise: for benchmarks and tests.

The scores mean nothing; sizes, files and code paths are the real ones.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import xgboost

from letterpress.atomic_file import write_atomically
from letterpress.clock import SystemClock
from letterpress.features import feature_names, schema_hash
from letterpress.lake.known_items import ItemDescription
from letterpress.lake.recent_slates import RecentSlates, nothing_recent, write_recent
from letterpress.lake.snapshot_export import write_entity, write_items
from letterpress.lake.snapshot_layout import (
    COUNT_NAMES,
    CURRENT,
    ENTITIES,
    FORMAT,
    KEY_SEPARATOR,
    MANIFEST,
    WINDOWS,
    Current,
    Manifest,
    RecommenderEntry,
    encode_manifest,
    hash_files,
    snapshot_id,
)
from letterpress.ranking.bundle import ModelBundle
from letterpress.recommenders import RECOMMENDERS, Recommender, get_recommender
from letterpress.recommenders.image_enhancement import IMAGE_ENHANCEMENT, INDUSTRIES, SEGMENTS
from letterpress.registry.publication import Publication, publish
from letterpress.settings import Home

TENANT = "acme"
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
ENHANCEMENTS = dict(IMAGE_ENHANCEMENT.item_vocabularies)["enhancement"]


def write_snapshot(
    home: Home, *, items: int = 1000, seed: int = 0, recent: RecentSlates | None = None
) -> str:
    """Publish a snapshot that knows `items` items of one tenant for every recommender; its id.

    Without `recent` no slate was shown in the days before it.
    """
    staged = home.snapshots / f".staged-{seed}"
    entries = {}
    for name, recommender in RECOMMENDERS.items():
        (staged / name).mkdir(parents=True)
        rows = _write_entities(staged / name, items, seed)
        rows["items"] = _write_items(staged / name, recommender, items, seed)
        write_recent(staged / name, recent or nothing_recent(items))
        (staged / name / "training.parquet").write_bytes(b"")
        entries[name] = RecommenderEntry(
            recommender.attributes, feature_names(recommender), schema_hash(recommender), rows
        )
    paths = sorted(path for path in staged.rglob("*") if path.is_file())
    files = {
        str(path.relative_to(staged)): entry for path, entry in zip(paths, hash_files(paths), strict=True)
    }
    manifest = Manifest(FORMAT, NOW, None, None, entries, files)
    (staged / MANIFEST).write_bytes(encode_manifest(manifest))
    name = snapshot_id(manifest)
    staged.rename(home.snapshots / name)
    write_atomically(home.snapshots / CURRENT, msgspec.json.encode(Current(name, NOW)))
    return name


def _write_entities(folder: Path, items: int, seed: int) -> dict[str, int]:
    keys: dict[str, list[tuple[str, ...]]] = {
        "item": [(TENANT, f"item-{number}") for number in range(items)],
        "item_segment": [
            (TENANT, f"item-{number}", segment) for number in range(items) for segment in SEGMENTS
        ],
        "enhancement_industry": [(name, industry) for name in ENHANCEMENTS for industry in INDUSTRIES],
        "enhancement": [(name,) for name in ENHANCEMENTS],
        "tenant": [(TENANT,)],
        "send_hour": [(TENANT, str(hour)) for hour in range(24)],
    }
    random = np.random.default_rng(seed)
    for entity in ENTITIES:
        names = sorted(KEY_SEPARATOR.join(parts) for parts in keys[entity])
        counts = random.integers(0, 10_000, (len(names), len(COUNT_NAMES)))
        counts.sort(axis=1)
        counts = counts[:, ::-1].copy()  # shown >= chosen >= ... as in the world
        windows = np.concatenate([counts // share for share in range(1, len(WINDOWS) + 1)], axis=1)
        write_entity(folder, entity, pa.chunked_array([names], pa.string()), windows)
    return {entity: len(keys[entity]) for entity in ENTITIES}


def _write_items(folder: Path, recommender: Recommender, items: int, seed: int) -> int:
    random = np.random.default_rng(seed)
    item_ids = sorted(f"item-{number}" for number in range(items))
    descriptions = [
        ItemDescription(
            recommender.item_kind, labels={"enhancement": ENHANCEMENTS[number % len(ENHANCEMENTS)]}
        )
        for number in range(items)
    ]
    described = [msgspec.json.encode(each).decode() for each in descriptions]
    write_items(
        folder,
        pa.chunked_array([[TENANT] * items]),
        pa.chunked_array([[f"{TENANT}{KEY_SEPARATOR}{item_id}" for item_id in item_ids]]),
        pa.chunked_array([described]),
        [list(random.random((len(recommender.attributes), items)))],
        len(recommender.attributes),
    )
    return items


def train_noise(features: int, *, trees: int = 300, seed: int = 0) -> bytes:
    """A booster of `trees` trees of depth 6 over `features` columns, with missing values."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(6000, features)).astype(np.float32)
    rows[random.random(rows.shape) < 0.1] = np.nan
    data = xgboost.DMatrix(rows, random.integers(0, 5, 6000), qid=np.repeat(np.arange(250), 24))
    settings = {"objective": "rank:ndcg", "max_depth": 6, "eta": 0.1, "nthread": 2, "seed": seed}
    return bytes(xgboost.train(settings, data, trees).save_raw("ubj"))


def publish_model(
    home: Home, *, version: int, booster: bytes | None = None, recommender: str = "image_enhancement"
) -> Publication:
    """Publish a model of `booster`, or of the first feature's value when there is none."""
    declared = get_recommender(recommender)
    names, hash_ = feature_names(declared), schema_hash(declared)
    if booster is None:
        bundle = ModelBundle.popularity(
            recommender=recommender,
            features=names,
            schema_hash=hash_,
            snapshot="none",
            score_feature=names[-1],
            training={"version": version},
        )
    else:
        bundle = ModelBundle.xgboost(
            booster, recommender=recommender, features=names, schema_hash=hash_, snapshot="none"
        )
    path = bundle.save(home.registry / "bundles" / recommender)
    return publish(
        home, recommender=recommender, version=version, bento=None, bundle=path, clock=SystemClock()
    )


def rank_bodies(count: int, *, items: int = 24, k: int = 8, known_items: int = 1000, seed: int = 0) -> bytes:
    """`count` requests, one a line, each for `items` random known items with fresh attributes."""
    random = np.random.default_rng(seed)
    names = RECOMMENDERS["image_enhancement"].attributes
    encoder = msgspec.json.Encoder()
    bodies = []
    for _ in range(count):
        chosen = random.choice(known_items, items, replace=False)
        bodies.append(
            encoder.encode(
                {
                    "recommender": "image_enhancement",
                    "tenant": TENANT,
                    "slot": "hero",
                    "k": k,
                    "campaign": {
                        "campaign_id": f"campaign-{random.integers(1000)}",
                        "industry": str(random.choice(INDUSTRIES)),
                        "campaign_type": "promotion",
                        "goal": "clicks",
                        "segment": str(random.choice(SEGMENTS)),
                        "mobile_share": round(float(random.random()), 2),
                        "send_at": "2026-01-06T09:00:00Z",
                    },
                    "items": [
                        {
                            "item_id": f"item-{number}",
                            "labels": {"enhancement": ENHANCEMENTS[int(number) % len(ENHANCEMENTS)]},
                            "attributes": {name: round(float(random.random()), 4) for name in names},
                        }
                        for number in chosen
                    ],
                }
            )
        )
    return b"\n".join(bodies) + b"\n"
