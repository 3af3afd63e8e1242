"""The catalogue of features: what is declared, how full the newest training rows are, what models rest on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from letterpress.evaluation.stability import Spread, distance
from letterpress.features import feature_plan
from letterpress.features.catalogue import CatalogueEntry, list_features, unused_views
from letterpress.features.life import CANDIDATES, RETIRED
from letterpress.lake.snapshot_layout import read_current
from letterpress.lake.snapshots import Snapshot
from letterpress.orchestration.feature_coverage import ROWS, newest_features, newest_rows
from letterpress.ranking.feature_baseline import read_baseline
from letterpress.ranking.feature_use import feature_shares
from letterpress.recommenders import RECOMMENDERS
from letterpress.registry.admissions import AdmissionRecord, read_admissions
from letterpress.registry.features_in_use import InUse, features_in_use
from letterpress.registry.publication import Publication, published
from letterpress.settings import Home, Settings
from letterpress.site.features_page import DATA, FeaturesState, FeatureState, ServedUse, TriedView

Values = dict[str, dict[str, NDArray[np.float32]]]
"""Values in the newest training rows, by recommender and feature."""


@dataclass(frozen=True, slots=True)
class Served:
    """A model that is served: how much of it rests on each feature, since when, and what it learned from."""

    model: str
    shares: Mapping[str, float]
    in_use: Mapping[str, InUse]
    baseline: Mapping[str, Spread]

    def use_of(self, name: str, newest: NDArray[np.float32] | None) -> ServedUse:
        """How the model looks at a feature whose `newest` values are given, where there are any."""
        since, learned = self.in_use.get(name), self.baseline.get(name)
        drift = None
        if learned is not None and newest is not None and len(newest) > 0:
            drift = round(distance(learned, newest), 4)
        return ServedUse(
            model=self.model,
            share=self.shares.get(name, 0.0),
            since=since.since if since else None,
            since_model=since.model if since else None,
            drift=drift,
            baseline_coverage=learned.coverage if learned else None,
        )


def feature_catalogue(settings: Settings) -> FeaturesState:
    """Every declared feature, measured in the current snapshot's newest training rows where there are any.

    What was worked out for the same snapshot and the same served models is read from the site's folder.

    Raises:
        StorageError: the snapshot or a pointer cannot be read.
        ModelRefusedError: a served model is damaged.
    """
    home = settings.paths
    pointers, admissions = published(home), read_admissions(home)
    made_of = _made_of(home, pointers, admissions)
    known = _read_known(home)
    if known is not None and known.made_of == made_of:
        return known
    values = _newest_values(home)
    served = {name: _served(home, pointer) for name, pointer in pointers.items()}
    return FeaturesState(
        made_of=made_of,
        features=[_feature_state(entry, served, values) for entry in list_features(RECOMMENDERS.values())],
        unused_views=unused_views(RECOMMENDERS.values()),
        candidates=_tried(CANDIDATES, admissions),
        admitted=_tried({each.view for each in admissions} - CANDIDATES, admissions),
        retired=[asdict(each) for each in RETIRED],
    )


def _tried(views: Collection[str], admissions: Sequence[AdmissionRecord]) -> list[TriedView]:
    return [
        TriedView(view=view, admissions=[each for each in admissions if each.view == view])
        for view in sorted(views)
    ]


def _made_of(
    home: Home, pointers: Mapping[str, Publication], admissions: Sequence[AdmissionRecord]
) -> dict[str, Any]:
    """What the catalogue depends on: as long as it is the same, so is the catalogue."""
    current = read_current(home)
    return {
        "snapshot": current.snapshot if current else None,
        "schemas": {name: feature_plan(each).schema_hash for name, each in RECOMMENDERS.items()},
        "tried": {f"{each.recommender}/{each.view}": each.tried_at for each in admissions},
        "served": {name: each.model for name, each in pointers.items()},
    }


def _served(home: Home, pointer: Publication) -> Served:
    manifest = pointer.open_bundle(home).manifest
    in_use = features_in_use(home, pointer.recommender)
    return Served(pointer.model, feature_shares(manifest), in_use, read_baseline(manifest.training))


def _feature_state(entry: CatalogueEntry, served: Mapping[str, Served], values: Values) -> FeatureState:
    """One feature with who uses it, by recommender."""
    feature = entry.feature
    newest = {name: values[name][feature.name] for name in entry.recommenders if name in values}
    return FeatureState(
        name=feature.name,
        view=entry.view,
        entity=feature.entity,
        unit=feature.unit,
        description=feature.description,
        definition=feature.definition,
        default=None if np.isnan(feature.default) else feature.default,
        owner=feature.owner,
        sensitivity=feature.sensitivity,
        recommenders=entry.recommenders,
        uses=[
            served[name].use_of(feature.name, newest.get(name))
            for name in entry.recommenders
            if name in served
        ],
        measured={name: _spread(each) for name, each in newest.items()},
    )


def _read_known(home: Home) -> FeaturesState | None:
    try:
        return msgspec.json.decode((home.site / DATA).read_bytes(), type=FeaturesState)
    except (OSError, msgspec.DecodeError):
        return None


def _newest_values(home: Home) -> Values:
    if read_current(home) is None:
        return {}
    snapshot = Snapshot.open(home)
    found = {}
    for name, entry in snapshot.manifest.recommenders.items():
        if name in RECOMMENDERS and entry.rows["training"]:
            rows = newest_rows(snapshot.training_path(name), ROWS)
            names, values = newest_features(RECOMMENDERS[name], rows)
            found[name] = dict(zip(names, values.T, strict=True))
    return found


def _spread(values: NDArray[np.float32]) -> dict[str, float | None]:
    present = values[~np.isnan(values)]
    low, median, high = np.percentile(present, (5, 50, 95)).tolist() if len(present) else (None,) * 3
    return {
        "rows": float(len(values)),
        "coverage": len(present) / len(values) if len(values) else None,
        "low": low,
        "median": median,
        "high": high,
    }


def list_catalogue(settings: Settings, words: Sequence[str] = ()) -> dict[str, Any]:
    """The catalogue as JSON-able values: features whose name, view or description holds every word."""
    state = feature_catalogue(settings)
    wanted = [word.lower() for word in words]
    features = [
        each
        for each in state.features
        if all(word in f"{each.name} {each.view} {each.description}".lower() for word in wanted)
    ]
    return {
        "features": [msgspec.to_builtins(each) | {"is_idle": each.is_idle} for each in features],
        "unused_views": list(state.unused_views),
        "candidates": msgspec.to_builtins(state.candidates),
        "retired": msgspec.to_builtins(state.retired),
    }
