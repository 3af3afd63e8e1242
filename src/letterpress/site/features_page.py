"""The page of the feature catalogue: what is declared, how full it is, which recommender and model use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from letterpress.atomic_file import write_atomically
from letterpress.registry.admissions import AdmissionRecord
from letterpress.site.index_page import page_environment

PAGE = "features.html"
DATA = "features.json"


class ServedUse(Struct, kw_only=True, frozen=True):
    """How a served model looks at the feature."""

    model: str
    share: float
    """How much of the model rests on it, from 0 to 1."""
    since: str | None = None
    """When the first of the models in a row that look at it was published."""
    since_model: str | None = None
    drift: float | None = None
    """Stability index of the newest rows, which may be of few hours, against those that it learned from."""
    baseline_coverage: float | None = None
    """Share of those that had a value."""


class FeatureState(Struct, kw_only=True, frozen=True):
    """One feature; `default` is what it is where nothing is known, None for missing."""

    name: str
    view: str
    entity: str
    unit: str
    description: str
    definition: str
    default: float | None
    owner: str
    sensitivity: Sequence[str]
    recommenders: Sequence[str]
    uses: Sequence[ServedUse]
    measured: Mapping[str, Mapping[str, float | None]]
    """By recommender `rows`, `coverage`, `low` (5 %), `median` and `high` (95 %)."""

    @property
    def is_idle(self) -> bool:
        """Models that could look at it are served, and none does."""
        return bool(self.uses) and all(use.share == 0 for use in self.uses)


class TriedView(Struct, kw_only=True, frozen=True):
    """A view, and the records of those who tried it."""

    view: str
    admissions: Sequence[AdmissionRecord]


class FeaturesState(Struct, kw_only=True, frozen=True):
    """Everything that the page says, and from what it was made."""

    made_of: dict[str, Any]
    features: Sequence[FeatureState]
    unused_views: Sequence[str]
    candidates: Sequence[TriedView] = ()
    """Views on trial."""
    admitted: Sequence[TriedView] = ()
    """Views in use of whose trial there is a record here."""
    retired: Sequence[Mapping[str, str]] = ()
    """`name`, `view`, `reason` and `since_snapshot` of features that are no longer computed."""


def _say_number(value: float | None) -> str:
    return "missing" if value is None else f"{value:.4g}"


def render_features(state: FeaturesState) -> str:
    """The page as HTML."""
    environment = page_environment()
    environment.filters["number"] = _say_number
    views = [(view, list(features)) for view, features in groupby(state.features, lambda each: each.view)]
    return environment.get_template("features.html.j2").render(
        state=state,
        views=views,
        idle=sum(each.is_idle for each in state.features),
    )


def write_features_page(folder: Path, state: FeaturesState) -> Path:
    """Write the page, and what it says as JSON, into `folder` by atomic rename; the page's path."""
    write_atomically(folder / PAGE, render_features(state).encode())
    write_atomically(folder / DATA, msgspec.json.encode(state))
    return folder / PAGE
