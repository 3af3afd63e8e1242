"""Fashion items of the Open Bandit log: single slots with logged propensities, judged off-policy."""

from letterpress.recommenders.declaration import EvidenceRate, Gates, Recommender, Target

OPEN_BANDIT = Recommender(
    name="open_bandit",
    description="Ranks products of a fashion shop; its log has single slots, so it is judged by SNIPS.",
    item_kind="product",
    slate_size=3,
    targets=(Target("clicked", numerator="clicked", denominator="delivered", weight=1.0, window_hours=1),),
    feature_views=("attributes", "evidence"),
    judge="snips",
    gates=Gates(
        min_training_slates=1000,
        min_test_slates=1000,
        min_relative_gain=0.0,
        min_effective_sample_size=1000.0,
        min_matched_clicks=30,
    ),
    attributes=("item_feature_0",),
    evidence_rates=(EvidenceRate("click", "clicked", "shown", prior=0.005, weight=200.0),),
    popularity_target="clicked",
)
