"""The step that compares a challenger with the champion and keeps the verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from letterpress.clock import Clock, ScaledClock
from letterpress.datasets.temporal_split import Split
from letterpress.errors import NotEnoughDataError, NotYetThereError
from letterpress.evaluation.ab_test import ArmCounts, judge_by_ab_tests
from letterpress.evaluation.verdict import Verdict, judge_by_ndcg, judge_by_snips
from letterpress.lake.snapshots import Snapshot
from letterpress.log import log_step
from letterpress.orchestration.train_challenger import split_snapshot
from letterpress.ranking.bundle import ModelBundle
from letterpress.ranking.greedy_policy import value_of_greedy
from letterpress.ranking.popularity import popularity_bundle
from letterpress.ranking.rank_slates import rank_slates
from letterpress.recommenders import Recommender, get_recommender
from letterpress.recommenders.declaration import Judge
from letterpress.registry.store import RegisteredModel, champion, model_version, with_alias
from letterpress.registry.verdicts import read_verdict, write_verdict
from letterpress.settings import Settings


def challenger_version(settings: Settings, recommender: str) -> int:
    """The version that was trained last.

    Raises:
        UnknownRecommenderError: there is no such recommender.
        NotYetThereError: none was trained.
    """
    found = with_alias(settings.paths, get_recommender(recommender).name, "challenger")
    if found is None:
        raise NotYetThereError(
            f"expected a challenger of {recommender}, found none; run `letterpress train --recommender "
            f"{recommender}`."
        )
    return found.version


def judge_challenger(
    settings: Settings, recommender: str, version: int, *, clock: Clock | None = None
) -> dict[str, Any]:
    """The verdict on a version against the champion of now, on the test slates of the version's snapshot.

    A version that is the champion already keeps the verdict that made it so; one that was rolled back is
    refused, and the record of its verdict stays as it is.

    Raises:
        NotYetThereError: the version or its snapshot is missing.
        ModelRefusedError: a bundle is damaged or of another feature schema.
    """
    declared, home = get_recommender(recommender), settings.paths
    challenger, standing = model_version(home, recommender, version), champion(home, recommender)
    known = read_verdict(home, recommender, version)
    if known is not None and standing is not None and standing.version == version:
        return msgspec.to_builtins(known)  # type: ignore[no-any-return]  # of a struct it is a dict
    if known is not None and challenger.was_rolled_back:
        reason = f"{challenger.name} was released and rolled back; train on a newer snapshot to try again."
        return {**msgspec.to_builtins(known), "promoted": False, "reason": reason}
    with log_step("judge_challenger", model=challenger.name) as counts:
        against = "none" if standing is None else standing.name
        verdict = _judge(settings, declared, challenger, standing)
        counts.update(against=against, promoted=verdict.promoted)
    record = write_verdict(
        home,
        recommender,
        version,
        champion=against,
        verdict=verdict,
        clock=clock or ScaledClock(settings.paths.clock),
    )
    return msgspec.to_builtins(record)  # type: ignore[no-any-return]  # of a struct it is a dict


def _judge(
    settings: Settings, declared: Recommender, challenger: RegisteredModel, standing: RegisteredModel | None
) -> Verdict:
    bundle = challenger.open_bundle()
    popularity = popularity_bundle(declared, bundle.manifest.snapshot)
    bundle.require_schema(popularity.manifest.schema_hash)
    champion_bundle = popularity if standing is None else standing.open_bundle()
    stood_in = champion_bundle.manifest.schema_hash != bundle.manifest.schema_hash
    if stood_in:
        champion_bundle = popularity  # an older feature schema cannot score today's features
    try:
        split = split_snapshot(Snapshot.open(settings.paths, bundle.manifest.snapshot), declared)
        verdict = _JUDGES[declared.judge](settings, declared, split, popularity, champion_bundle, bundle)
    except NotEnoughDataError as error:
        verdict = Verdict(promoted=False, reason=f"not enough evidence: {error}", numbers={})
    return replace(verdict, numbers=verdict.numbers | {"popularity_stood_in_for_champion": stood_in})


def _by_ndcg(
    settings: Settings,
    declared: Recommender,
    split: Split,
    popularity: ModelBundle,
    standing: ModelBundle,
    challenger: ModelBundle,
) -> Verdict:
    rankers = rank_slates(
        split.test,
        declared.slate_size,
        popularity=popularity,
        champion=standing,
        challenger=challenger,
        threads=settings.threads,
    )
    return judge_by_ndcg(
        rankers,
        min_relative_gain=declared.gates.min_relative_gain,
        min_test_slates=declared.gates.min_test_slates,
        seed=settings.seed,
    )


def _by_snips(
    settings: Settings,
    declared: Recommender,
    split: Split,
    _popularity: ModelBundle,
    standing: ModelBundle,
    challenger: ModelBundle,
) -> Verdict:
    values = [
        value_of_greedy(bundle, split.train, split.test, declared.slate_size, seed=settings.seed)
        for bundle in (standing, challenger)
    ]
    clicks = sum(int((part.clicks > 0).sum()) for part in split)
    rows = sum(part.rows for part in split)
    verdict = judge_by_snips(
        champion=values[0],
        challenger=values[1],
        min_relative_gain=declared.gates.min_relative_gain,
        min_effective_sample_size=declared.gates.min_effective_sample_size,
        min_matched_clicks=declared.gates.min_matched_clicks,
    )
    return replace(
        verdict,
        reason=f"{verdict.reason} The whole log has {clicks} clicks in {rows} slots.",
        numbers=verdict.numbers | {"log_clicks": clicks, "log_rows": rows},
    )


def _by_ab_tests(
    settings: Settings,
    declared: Recommender,
    split: Split,
    popularity: ModelBundle,
    standing: ModelBundle,
    challenger: ModelBundle,
) -> Verdict:
    rankers = {"popularity": popularity, "champion": standing, "challenger": challenger}
    scores = {name: each.scorer().score(split.test.features) for name, each in rankers.items()}
    return judge_by_ab_tests(
        scores,
        ArmCounts(split.test.clicks, split.test.trials, split.test.group_offsets),
        min_gain=declared.gates.min_relative_gain,
        min_tests=declared.gates.min_test_slates,
        seed=settings.seed,
    )


_JUDGES: dict[Judge, Callable[..., Verdict]] = {
    "ab_test": _by_ab_tests,
    "ndcg": _by_ndcg,
    "snips": _by_snips,
}
