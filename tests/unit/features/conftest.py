"""Rows of training examples, as a table and as the requests that they came from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import product

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from letterpress.events.session import SESSION_COUNTS
from letterpress.events.types import CampaignContext
from letterpress.features import Columns, attribute_rows, columns_for_request
from letterpress.features.columns import COUNT_NAMES, WINDOWS, count_column
from letterpress.recommenders import Recommender

INSTANT = pa.timestamp("us", tz="UTC")
CONTEXT_FIELDS = ("industry", "campaign_type", "goal", "segment")


@dataclass
class Row:
    """One item in one slate."""

    campaign: CampaignContext
    attributes: dict[str, float]
    labels: dict[str, str]
    counts: dict[str, list[int]]
    """By entity: for each window the six counts."""
    shown_at: datetime
    session: tuple[int, int, int, int] | None = None


class Rows:
    """Builds tables of training examples and requests from the same rows."""

    make = Row

    def as_table(self, recommender: Recommender, rows: list[Row]) -> pa.Table:
        names = pa.map_(pa.string(), pa.string())
        columns: dict[str, pa.Array] = {
            label: pa.array([getattr(row.campaign, label) for row in rows], pa.string())
            for label in CONTEXT_FIELDS
        }
        columns["mobile_share"] = pa.array([row.campaign.mobile_share for row in rows], pa.float64())
        columns["send_at"] = pa.array([row.campaign.send_at for row in rows], INSTANT)
        columns["shown_at"] = pa.array([row.shown_at for row in rows], INSTANT)
        columns["context_labels"] = pa.array([list(row.campaign.labels.items()) for row in rows], names)
        columns["attributes"] = pa.array(
            [list(row.attributes.items()) for row in rows], pa.map_(pa.string(), pa.float64())
        )
        columns["item_labels"] = pa.array([list(row.labels.items()) for row in rows], names)
        for entity in recommender.evidence_entities:
            for place, (window, name) in enumerate(product(WINDOWS, COUNT_NAMES)):
                columns[count_column(entity, name, window)] = pa.array(
                    [row.counts[entity][place] for row in rows], pa.int64()
                )
        for place, name in enumerate(SESSION_COUNTS):
            columns[name] = pa.array([row.session and row.session[place] for row in rows], pa.int64())
        return pa.table(columns)

    def as_request(self, recommender: Recommender, rows: list[Row]) -> Columns:
        """Columns of rows that share the campaign of the first."""
        counts: dict[str, NDArray[np.int64]] = {
            entity: np.array([row.counts[entity] for row in rows], np.int64)
            for entity in recommender.evidence_entities
        }
        return columns_for_request(
            recommender,
            rows[0].campaign,
            attribute_rows(recommender, [row.attributes for row in rows]),
            [row.labels for row in rows],
            counts,
            rows[0].shown_at,
            session=rows[0].session,
        )


@pytest.fixture(scope="session")
def rows() -> Rows:
    return Rows()
