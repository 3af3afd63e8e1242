"""The card of a candidate: what it is, what it learned from, how it was judged, and its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from letterpress.atomic_file import write_atomically
from letterpress.site.calibration_chart import draw_calibration
from letterpress.site.index_page import STYLE, page_environment
from letterpress.site.resiliency_charts import draw_resiliency
from letterpress.site.verdict_charts import draw_verdict

FOLDER = "models"
MOST_FEATURES = 15


class TargetState(Struct, kw_only=True, frozen=True):
    """One thing that was optimised."""

    name: str
    meaning: str
    weight: float
    window_hours: int


class ModelCard(Struct, kw_only=True, frozen=True):
    """Everything that the card says; also its JSON."""

    model: str
    kind: str
    description: str
    lineage: Mapping[str, str]
    """Bundle, snapshot, feature schema and seed."""
    split_by: str = "time"
    """`time`, or `name` where no weeks part the tests of a table."""
    parts: Mapping[str, Mapping[str, Any]]
    """`train`, `valid` and `test` with `slates`, `rows`, `first` and `last`."""
    targets: Sequence[TargetState]
    parameters: Mapping[str, Any]
    features: Mapping[str, float]
    """Share of the model by feature, the greatest first."""
    shap: Mapping[str, float] = msgspec.field(default_factory=dict)
    """Share of what moves scores by feature (SHAP), the greatest first; empty where nobody worked it out."""
    verdict: Mapping[str, Any]
    tuning: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """`budget`, `chosen` and `trials`, the usual parameters first; empty where nobody searched."""
    limits: Sequence[str]
    resiliency: Mapping[str, Any] | None = None
    """How fast its training data becomes obsolete; None where it was not trained."""
    position_bias: Mapping[str, Any] | None = None
    """How often each place is looked at, and whether gains are freed of it; None where order was chance."""


def card_page(model: str) -> str:
    """Where the card of `recommender/version` lies within the site."""
    return f"{FOLDER}/{model.replace('/', '-')}.html"


def render_model_card(card: ModelCard) -> str:
    """The card as HTML."""
    numbers = card.verdict["numbers"]
    environment = page_environment()
    return environment.get_template("model_card.html.j2").render(
        card=card,
        drawn=draw_verdict(card.verdict),
        shown=_greatest(card.features),
        aged=None if card.resiliency is None else draw_resiliency(card.resiliency),
        moved=_greatest(card.shap),
        rates=[draw_calibration(*each) for each in (numbers.get("calibration") or {}).items()],
        conditions=numbers.get("conditions") or [],
        slices=card.verdict["numbers"].get("slices") or [],
        style=f"../{STYLE}",
    )


def _greatest(shares: Mapping[str, float]) -> dict[str, float]:
    """The features with the greatest shares, those first; a manifest keeps them by name."""
    return dict(sorted(shares.items(), key=lambda each: -each[1])[:MOST_FEATURES])


def write_model_card(site: Path, card: ModelCard) -> Path:
    """Write the card as HTML and JSON below the folder `site` by atomic rename; the page's path."""
    page = site / card_page(card.model)
    write_atomically(page, render_model_card(card).encode())
    write_atomically(page.with_suffix(".json"), msgspec.json.format(msgspec.json.encode(card), indent=2))
    return page
