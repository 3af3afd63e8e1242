"""Which subject line to send, from its text alone until its own outcomes are in; judged on A/B tests."""

from letterpress.recommenders.declaration import EvidenceRate, Gates, Recommender, Target

SUBJECT_LINE = Recommender(
    name="subject_line",
    description="Ranks subject lines by what they say and how, and by what was counted of them.",
    item_kind="subject_line",
    slate_size=8,
    targets=(
        Target(
            "clicked",
            numerator="clicked",
            denominator="delivered",
            weight=1.0,
            window_hours=24,
            reference_rate=0.015,
        ),
    ),
    feature_views=("text", "sentence", "evidence"),
    judge="ab_test",
    gates=Gates(min_training_slates=100, min_test_slates=50, min_relative_gain=0.0),
    evidence_rates=(EvidenceRate("click", "clicked", "delivered", prior=0.015, weight=2000.0),),
    popularity_target="clicked",
    text_label="text",
)
