import gzip
import json
import random
from pathlib import Path

import pytest

from letterpress.errors import NotEnoughDataError, UsageError
from letterpress.orchestration.evaluate_policy import evaluate_policy
from letterpress.settings import Settings

GOLDEN = Path(__file__).parents[2] / "data" / "native_log.jsonl"


@pytest.mark.parametrize("kept", [0.2, 0.8])
def test_a_truncated_gzip_is_read_as_far_as_it_goes(kept: float, tmp_path: Path) -> None:
    log = tmp_path / "cut.jsonl.gz"
    noise = random.Random(7).randbytes(500_000).hex().encode()
    packed = gzip.compress(GOLDEN.read_bytes() + noise)
    log.write_bytes(packed[: int(len(packed) * kept)])
    with pytest.raises(NotEnoughDataError, match="uniform policy on cut"):
        evaluate_policy(Settings(home=tmp_path), log, "letterpress", "uniform")


@pytest.fixture
def explored(tmp_path: Path) -> Path:
    """2,000 slates of two of three items in random order; item c is clicked twice as often as the others."""
    generator = random.Random(3)
    lines = []
    slate = next(
        event for line in GOLDEN.read_text().splitlines() if (event := json.loads(line))["type"] == "slate"
    )
    context = {key: slate[key] for key in ("tenant", "recommender", "occurred_at", "campaign", "slot")}
    for number in range(2000):
        shown = generator.sample("abc", 2)
        items = [
            {"item_id": item, "position": place, "propensity": 1 / 3} for place, item in enumerate(shown, 1)
        ]
        name = {"event_id": f"s{number}", "slate_id": f"s{number}"}
        lines.append({**context, **name, "type": "slate", "policy": "uniform", "items": items})
        for item in shown:
            if generator.random() < (0.2 if item == "c" else 0.1):
                what = {"event_id": f"{number}{item}", "item_id": item, "kind": "clicked", "count": 1}
                keys = {key: context[key] for key in ("tenant", "recommender", "occurred_at")}
                lines.append({**keys, **what, "type": "outcome", "slate_id": f"s{number}"})
    path = tmp_path / "explored.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_policy_in_a_file_is_valued_by_four_estimators_that_agree(explored: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.csv"
    policy.write_text("item_id,position,probability\nc,1,1.0\na,2,0.5\nb,2,0.5\n")
    result = evaluate_policy(Settings(home=tmp_path), explored, "letterpress", policy_file=policy)
    assert result["policy"] == "policy.csv"
    for estimator in ("ips", "snips", "dr", "dm"):
        assert result[estimator]["mean"] == pytest.approx(0.15, abs=0.02), estimator
    assert result["on_policy"] == pytest.approx(0.133, abs=0.02)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("item_id,position,probability\nc,1,0.7\n", "0.7000 at 1"),
        ("item_id,position,probability\nc,1,1\n", "found 0.0000 at 2"),
        ("item_id,position,probability\nc,1,1.7\n", "probabilities in 0..1"),
        ("item_id,position\nc,1\n", "found 'probability'"),
        ("item_id,position,probability\nc,first,1\n", "found invalid literal"),
    ],
)
def test_a_policy_file_that_is_no_policy_is_refused(
    text: str, found: str, explored: Path, tmp_path: Path
) -> None:
    (tmp_path / "policy.csv").write_text(text)
    with pytest.raises(UsageError, match=found):
        evaluate_policy(Settings(home=tmp_path), explored, "letterpress", policy_file=tmp_path / "policy.csv")


def test_a_policy_that_mostly_shows_what_was_never_logged_gets_no_number(
    explored: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.csv"
    rows = [f"{item},{place},{share}" for place in (1, 2) for item, share in (("z", 0.98), ("c", 0.02))]
    policy.write_text("\n".join(["item_id,position,probability", *rows]))
    with pytest.raises(NotEnoughDataError, match=r"found 2\.0%: the rest was never logged"):
        evaluate_policy(Settings(home=tmp_path), explored, "letterpress", policy_file=policy)


def test_a_uniform_policy_over_items_that_the_log_never_showed_gets_no_number(
    explored: Path, tmp_path: Path
) -> None:
    with pytest.raises(NotEnoughDataError, match=r"found 3\.0%: the rest was never logged"):
        evaluate_policy(Settings(home=tmp_path), explored, "letterpress", actions=100)


def test_fewer_items_than_the_log_shows_are_no_policy(explored: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"found 1 where explored\.jsonl shows 3"):
        evaluate_policy(Settings(home=tmp_path), explored, "letterpress", actions=1)


def test_propensities_by_which_the_log_did_not_choose_give_no_number(explored: Path, tmp_path: Path) -> None:
    explored.write_text(explored.read_text().replace(str(1 / 3), "0.2"))
    with pytest.raises(NotEnoughDataError, match=r"weights with a mean of 1, found 1\.667"):
        evaluate_policy(Settings(home=tmp_path), explored, "letterpress", "uniform")
