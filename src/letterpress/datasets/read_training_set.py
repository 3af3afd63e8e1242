"""Reads the training set of a published snapshot, batch by batch."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from letterpress.datasets.feature_rows import Room
from letterpress.datasets.training_arrays import FeatureSchema, training_set_from
from letterpress.datasets.training_set import TrainingSet
from letterpress.features import columns_for_batch, compute_features, feature_names, schema_hash
from letterpress.features.denial import Deny, deny_rows
from letterpress.lake.snapshots import Snapshot
from letterpress.recommenders import Recommender

BATCH_ROWS = 65_536


def declared_schema(recommender: Recommender, denied: Deny) -> FeatureSchema:
    """The features that this build computes for `recommender`, without those that are `denied`."""
    return FeatureSchema(
        names=feature_names(recommender),
        hash=schema_hash(recommender),
        compute=lambda table: compute_features(recommender, columns_for_batch(recommender, table)),
        deny=lambda table, features: deny_rows(
            recommender, denied, table["tenant"].to_pylist() if denied else (), features
        ),
    )


def read_training_set(snapshot: Snapshot, recommender: Recommender, room: Room | None = None) -> TrainingSet:
    """All slates of `snapshot` whose targets had time to happen; features beyond the `room` lie in a file.

    Raises:
        NotEnoughDataError: there are none.
    """
    with pq.ParquetFile(snapshot.training_path(recommender.name)) as file:
        batches = (pa.Table.from_batches([batch]) for batch in file.iter_batches(BATCH_ROWS))
        return training_set_from(
            batches,
            recommender,
            declared_schema(recommender, snapshot.denied),
            known_until=snapshot.as_of,
            room=room,
        )
