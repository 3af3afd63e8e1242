"""The champion in a form that today's features can be scored with, where the schema changed since."""

from __future__ import annotations

from letterpress.errors import NotEnoughDataError
from letterpress.features import schema_hash_of
from letterpress.ranking.bundle import ModelBundle
from letterpress.recommenders import Recommender


def comparable_champion(
    declared: Recommender, standing: ModelBundle, popularity: ModelBundle, *, name: str
) -> ModelBundle:
    """The standing champion, reading its own features among today's; or popularity, with declared consent.

    A champion may be scored wherever all of its features are still computed as they were. Else nothing tells
    whether a challenger is better than what serves, and popularity is too easy to beat to stand in for it.
    `popularity` has today's schema; a champion of that kind is compared in that form.

    Raises:
        NotEnoughDataError: a feature that `name` knows went or changed, and no consent is declared.
    """
    known, today = standing.manifest, popularity.manifest
    if known.schema_hash == today.schema_hash:
        return standing
    if known.kind == "popularity":
        return popularity
    if schema_hash_of(declared, known.features) == known.schema_hash:
        return standing.reading(today.features)
    if known.schema_hash in declared.gates.replaceable_schemas:
        return popularity
    raise NotEnoughDataError(
        f"expected a champion whose features are computed today, found {name} of feature schema "
        f"{known.schema_hash}, of which a feature went or changed, so nothing tells whether a challenger is "
        f"better; restore it, or declare {known.schema_hash} in `replaceable_schemas` of the gates of "
        f"{declared.name} to let what beats popularity replace it, and run `letterpress evaluate`."
    )
