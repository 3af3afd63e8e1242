"""What each recommender declares: items, features, targets, slate size, exploration, gates.

Only declarations live here, one file a recommender; no data is read and nothing is computed. May ask
the foundation.
"""

from letterpress.errors import UnknownRecommenderError
from letterpress.recommenders.declaration import EvidenceRate, Gates, Recommender, Target, Tuning, Window
from letterpress.recommenders.image_enhancement import IMAGE_ENHANCEMENT
from letterpress.recommenders.open_bandit import OPEN_BANDIT
from letterpress.recommenders.subject_line import SUBJECT_LINE

RECOMMENDERS: dict[str, Recommender] = {
    each.name: each for each in (IMAGE_ENHANCEMENT, OPEN_BANDIT, SUBJECT_LINE)
}


def get_recommender(name: str) -> Recommender:
    """The declared recommender called `name`.

    Raises:
        UnknownRecommenderError: there is none; the message lists those that exist.
    """
    try:
        return RECOMMENDERS[name]
    except KeyError:
        known = ", ".join(sorted(RECOMMENDERS))
        raise UnknownRecommenderError(f"expected one of {known}; found {name!r}. Correct the name.") from None


__all__ = [
    "RECOMMENDERS",
    "EvidenceRate",
    "Gates",
    "Recommender",
    "Target",
    "Tuning",
    "Window",
    "get_recommender",
]
