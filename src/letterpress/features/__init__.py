"""Feature views: one definition of each feature for batch and for request time.

No data is fetched and no file is opened: counts and attributes come in as arrays. May ask events,
images and recommenders.
"""

from letterpress.events.session import SESSION_COUNTS
from letterpress.features.columns import (
    SHARED_ENTITIES,
    Columns,
    attribute_rows,
    columns_for_batch,
    columns_for_request,
    entity_keys,
)
from letterpress.features.feature_view import Feature, FeatureView
from letterpress.features.views import (
    VIEWS,
    FeaturePlan,
    compute_features,
    feature_names,
    feature_plan,
    monotone_directions,
    popularity_feature,
    schema_hash,
    schema_hash_of,
)

__all__ = [
    "SESSION_COUNTS",
    "SHARED_ENTITIES",
    "VIEWS",
    "Columns",
    "Feature",
    "FeaturePlan",
    "FeatureView",
    "attribute_rows",
    "columns_for_batch",
    "columns_for_request",
    "compute_features",
    "entity_keys",
    "feature_names",
    "feature_plan",
    "monotone_directions",
    "popularity_feature",
    "schema_hash",
    "schema_hash_of",
]
