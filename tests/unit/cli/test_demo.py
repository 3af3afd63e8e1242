from typing import Any

from letterpress.cli.demo import _regret, _table

INTERVAL = {"mean": 0.7, "low": 0.6, "high": 0.8, "clusters": 30}


REGRET = {"regret": 0.12, "popularity_regret": 0.07, "random_regret": 0.21}


def result() -> dict[str, Any]:
    ndcg = {"metric": "ndcg@8", "popularity": INTERVAL, "champion": INTERVAL, "challenger": INTERVAL}
    snips = {"metric": "snips", "champion": {"matched_clicks": 0}, "challenger": {"matched_clicks": 0}}
    verdict = {"model": "r/1", "champion": "r/2", "promoted": True, "reason": "it clears the bar"}
    first = {"item_id": "warm", "score": None, "propensity": 0.95}
    return {
        "seconds": 200.0,
        "rows": {"read": 10, "raw": 8, "duplicate": 1, "quarantined": 1},
        "training": {"image_enhancement": {"rows": 8, "slates": 1, "own_slates": 1}},
        "verdicts": [
            verdict | {"numbers": ndcg},
            verdict | {"promoted": False, "reason": "not enough evidence", "numbers": snips},
            verdict | {"numbers": {}},
        ],
        "served": {"image_enhancement": "r/1"},
        "visits": {"slates": 5, "events": 20, "failed": 0, "regret": REGRET},
        "pulse": {"requests": 100, "failed": 0, "models": ["r/1", "r/2"]},
        "answer": {
            "items": 4,
            "median_ms": 1.2,
            "slowest_ms": 3.0,
            "body": {"items": [first], "model": "r/1"},
        },
        "addresses": {"index": "http://127.0.0.1:8000/"},
        "airflow_login": {"user": "admin", "password": "made-up"},
        "notes": [],
    }


def test_the_table_shows_every_kind_of_verdict() -> None:
    table = _table(result())
    assert "ndcg@8 challenger  0.7000 [0.6000, 0.8000]" in table
    assert "refused" in table
    assert "not enough evidence" in table
    assert "score unknown" in table


def test_the_table_tells_the_regret_of_what_was_served() -> None:
    (line,) = _regret(REGRET)
    assert "12.0% of the expected clicks were missed" in line
    assert "context misses 7.0%, chance 21.0%" in line
    assert _regret({"regret": None}) == []
