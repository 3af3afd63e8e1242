"""Which enhancement of a picture to offer, by what builders choose and recipients click."""

from letterpress.recommenders.declaration import Gates, Recommender, Target

INDUSTRIES = ("beauty", "electronics", "fashion", "finance", "food", "home", "sports", "travel")
CAMPAIGN_TYPES = ("announcement", "newsletter", "promotion", "reactivation", "welcome")
GOALS = ("awareness", "clicks", "conversions", "retention")
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
            weight=0.75,
            window_hours=24,
            reference_rate=0.015,
        ),
    ),
    feature_views=("campaign", "picture", "picture_fit", "evidence"),
    judge="ndcg",
    gates=Gates(min_training_slates=500, min_test_slates=200, min_relative_gain=0.005),
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
)
