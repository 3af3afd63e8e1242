"""Which enhancement of a picture to offer, by what builders choose and recipients click."""

from letterpress.recommenders.declaration import EvidenceRate, Gates, Recommender, Target

INDUSTRIES = ("beauty", "electronics", "fashion", "finance", "food", "home", "sports", "travel")
CAMPAIGN_TYPES = ("announcement", "newsletter", "promotion", "reactivation", "welcome")
GOALS = ("awareness", "clicks", "conversions", "retention")
ENHANCEMENTS = (
    "original",
    "brighten",
    "darken",
    "contrast",
    "saturate",
    "desaturate",
    "warm",
    "cool",
    "sharpen",
    "soften",
    "crop_tight",
    "vignette",
)
SEGMENTS = ("dormant", "loyal", "new", "price_sensitive", "young_urban")

IMAGE_ENHANCEMENT = Recommender(
    name="image_enhancement",
    description="Ranks enhanced variants of a picture for a slot of an e-mail.",
    item_kind="picture_variant",
    slate_size=8,
    targets=(
        Target("chosen", numerator="chosen", weight=0.25, window_hours=1),
        Target(
            "clicked",
            numerator="clicked",
            denominator="delivered",
            weight=0.55,
            window_hours=24,
            reference_rate=0.015,
            selected_by="chosen",
        ),
        Target(
            "converted",
            numerator="converted",
            denominator="delivered",
            weight=0.1,
            window_hours=24,
            reference_rate=0.001,
            prior_trials=5000.0,
            selected_by="chosen",
        ),
        Target(
            "not_unsubscribed",
            numerator="unsubscribed",
            denominator="delivered",
            is_avoided=True,
            weight=0.05,
            window_hours=24,
            reference_rate=0.001,
            prior_trials=5000.0,
            selected_by="chosen",
        ),
        Target(
            "email_score",
            numerator="email_score",
            denominator="delivered",
            scale=100.0,
            weight=0.05,
            window_hours=48,
            warm_up_hours=120,
            reference_rate=0.5,
            selected_by="chosen",
        ),
    ),
    feature_views=("campaign", "session", "picture", "picture_fit", "evidence"),
    judge="ndcg",
    objective="pointwise",
    gates=Gates(min_training_slates=500, min_test_slates=200, epsilon=0.005),
    attributes=(
        "brightness",
        "contrast",
        "saturation",
        "warmth",
        "sharpness",
        "colourfulness",
        "edge_density",
        "crop_share",
        "strength",
    ),
    vocabularies=(
        ("industry", INDUSTRIES),
        ("campaign_type", CAMPAIGN_TYPES),
        ("goal", GOALS),
        ("segment", SEGMENTS),
    ),
    item_vocabularies=(("enhancement", ENHANCEMENTS),),
    evidence_entities=("item", "item_segment", "enhancement_industry", "enhancement", "tenant", "send_hour"),
    original_label=("enhancement", "original"),
    evidence_rates=(
        EvidenceRate("choose", "chosen", "shown", prior=0.3, weight=20.0),
        EvidenceRate(
            "click",
            "clicked",
            "delivered",
            prior=0.015,
            weight=2000.0,
            windows=(("item", ("7d", "decayed")), ("enhancement", ("7d",)), ("tenant", ("28d",))),
        ),
        EvidenceRate("conversion", "converted", "delivered", prior=0.0005, weight=5000.0),
        EvidenceRate("unsubscribe", "unsubscribed", "delivered", prior=0.001, weight=5000.0),
    ),
)
