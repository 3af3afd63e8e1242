"""The step that compares a challenger with the champion and keeps the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from letterpress.clock import Clock, ScaledClock
from letterpress.datasets.temporal_split import Split, is_by_time
from letterpress.datasets.training_arrays import SEPARATOR
from letterpress.datasets.training_set import TrainingSet
from letterpress.errors import NotEnoughDataError, NotYetThereError
from letterpress.evaluation.ab_test import ArmCounts, judge_by_ab_tests
from letterpress.evaluation.snips import PolicyValue
from letterpress.evaluation.verdict import Condition, Verdict, judge_by_ndcg, judge_by_snips
from letterpress.features.sentence_store import keep_sentences
from letterpress.lake.snapshots import Snapshot
from letterpress.log import log_step
from letterpress.orchestration.comparable_champion import comparable_champion
from letterpress.orchestration.model_cards import make_model_card
from letterpress.orchestration.train_challenger import split_snapshot, training_room
from letterpress.orchestration.verdict_conditions import conditions_of, measure_rates, scoring_time
from letterpress.ranking.baselines import baseline_scorers
from letterpress.ranking.bundle import ModelBundle
from letterpress.ranking.greedy_policy import asked_of, value_of_greedy
from letterpress.ranking.popularity import popularity_bundle
from letterpress.ranking.position_bias import position_bias_of
from letterpress.ranking.rank_slates import ndcg_by, rank_slates
from letterpress.ranking.scorer import Scorer
from letterpress.recommenders import Recommender, get_recommender
from letterpress.recommenders.declaration import Judge
from letterpress.registry.store import RegisteredModel, champion, model_version, with_alias
from letterpress.registry.verdicts import look_of, read_verdict, write_verdict
from letterpress.settings import Settings
from letterpress.site.model_card import write_model_card


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

    The card of the model is written to the site along with it.

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
    with keep_sentences(home.sentences), log_step("judge_challenger", model=challenger.name) as counts:
        against = "none" if standing is None else standing.name
        verdict = _judge(settings, declared, challenger, standing, None if known is None else known.numbers)
        counts.update(against=against, promoted=verdict.promoted)
    record = write_verdict(
        home,
        recommender,
        version,
        champion=against,
        verdict=verdict,
        clock=clock or ScaledClock(settings.paths.clock),
    )
    write_model_card(home.site, make_model_card(declared, challenger.open_bundle(), record))
    return msgspec.to_builtins(record)  # type: ignore[no-any-return]  # of a struct it is a dict


def _judge(
    settings: Settings,
    declared: Recommender,
    challenger: RegisteredModel,
    standing: RegisteredModel | None,
    known: dict[str, Any] | None,
) -> Verdict:
    bundle = challenger.open_bundle()
    popularity = popularity_bundle(declared, bundle.manifest.snapshot)
    bundle.require_schema(popularity.manifest.schema_hash)
    stood_in = False
    try:
        champion_bundle = popularity
        if standing is not None:
            known_bundle = standing.open_bundle()
            champion_bundle = comparable_champion(declared, known_bundle, popularity, name=standing.name)
            stood_in = champion_bundle is popularity and known_bundle.manifest.kind != "popularity"
        snapshot = Snapshot.open(settings.paths, bundle.manifest.snapshot)
        split = split_snapshot(snapshot, declared, training_room(settings))
        trusted = split.test.judged()
        trusted.require(1, f"judge {declared.name} on that are trusted")
        left_out, split = len(split.test) - len(trusted), split._replace(test=trusted)
        if is_by_time(split):  # else it was split by the names of tests
            for each in (champion_bundle, bundle):
                require_later(split.test, each)
        against = "none" if standing is None else standing.name
        look = look_of(settings.paths, declared.name, challenger.version, champion=against)
        rates = measure_rates(declared, split, bundle, seed=settings.seed)
        conditions = conditions_of(declared, split, rates, scoring_time(settings.paths, bundle, known))
        judged = Judged(
            popularity,
            champion_bundle,
            bundle,
            look,
            tuple(conditions),
            baseline_scorers(split.train, declared, seed=settings.seed),
        )
        verdict = _held_to(conditions, _JUDGES[declared.judge](settings, declared, split, judged))
        told = {name: each.as_numbers() for name, each in rates.items()}
        shown = {"calibration": told} | ({"distrusted_slates": left_out} if left_out else {})
        verdict = replace(verdict, numbers=verdict.numbers | shown)
    except NotEnoughDataError as error:
        verdict = Verdict(promoted=False, reason=f"not enough evidence: {error}", numbers={})
    return replace(verdict, numbers=verdict.numbers | {"popularity_stood_in_for_champion": stood_in})


def _held_to(conditions: Sequence[Condition], verdict: Verdict) -> Verdict:
    """The verdict, which stands only where every condition holds."""
    numbers = verdict.numbers | {"conditions": [each.as_numbers() for each in conditions]}
    broken = [str(each) for each in conditions if not each.holds]
    if not broken or not verdict.promoted:
        return replace(verdict, numbers=numbers)
    reason = f"{'; '.join(broken)}: beyond the limit, so the champion stays. Without that: {verdict.reason}"
    return Verdict(promoted=False, reason=reason, numbers=numbers)


@dataclass(frozen=True, slots=True)
class Judged:
    """Who is compared, and how many challengers the champion has seen with this one."""

    popularity: ModelBundle
    champion: ModelBundle
    challenger: ModelBundle
    look: int
    conditions: tuple[Condition, ...] = ()
    baselines: Mapping[str, Scorer] = field(default_factory=dict)
    """What is shown beside them, by name."""


def require_later(test: TrainingSet, bundle: ModelBundle) -> None:
    """Refuse a test that is not later than what `bundle` learnt from.

    Raises:
        NotEnoughDataError: it knows a slate of the test's time already, so it would be praised for memory.
    """
    learnt = [
        bundle.manifest.training[part]["last"]
        for part in ("train", "valid")
        if part in bundle.manifest.training
    ]
    if not learnt:
        return
    last = datetime.fromisoformat(max(learnt))
    first = datetime.fromtimestamp(int(test.shown_at.min()) / 1e6, UTC)
    if first <= last:
        raise NotEnoughDataError(
            f"expected test slates later than {last:%Y-%m-%d %H:%M}, up to which a {bundle.manifest.kind} "
            f"model was trained, found some of {first:%Y-%m-%d %H:%M}; train a challenger on the newest "
            "snapshot, `letterpress train`."
        )


def slices_of(declared: Recommender, split: Split) -> dict[str, NDArray[np.str_]]:
    """Labels `(g,)` of the test slates: tenant, the campaign's declared labels, device, and new items."""
    test = split.test
    firsts = test.group_offsets[:-1]
    labels = {"tenant": np.array([each.partition(SEPARATOR)[0] for each in test.slate_ids], dtype=np.str_)}
    for label, values in declared.vocabularies:
        if f"{label}_code" in test.feature_names:
            codes = np.nan_to_num(test.column(f"{label}_code")[firsts], nan=len(values)).astype(np.int64)
            labels[label] = np.array([*values, ""], dtype=np.str_)[np.clip(codes, 0, len(values))]
    if "mobile_share" in test.feature_names:
        shares = test.column("mobile_share")[firsts]
        device = np.where(shares >= 0.5, "mostly phones", "mostly desktops")
        labels["device"] = np.where(np.isnan(shares), "", device).astype(np.str_)
    is_new = ~np.isin(test.item_codes, np.unique(split.train.item_codes))
    has_new = np.maximum.reduceat(is_new, firsts)
    labels["items"] = np.where(has_new, "some new", "all known").astype(np.str_)
    return labels


def _by_ndcg(settings: Settings, declared: Recommender, split: Split, judged: Judged) -> Verdict:
    bias = position_bias_of(split, declared)
    rankers = rank_slates(
        split.test,
        declared.slate_size,
        popularity=judged.popularity,
        champion=judged.champion,
        challenger=judged.challenger,
        threads=settings.threads,
        bias=bias,
        slices=slices_of(declared, split),
    )
    test = split.test if bias is None else bias.freed_set(split.test)
    shown = {name: ndcg_by(scorer, test, declared.slate_size) for name, scorer in judged.baselines.items()}
    return judge_by_ndcg(
        replace(rankers, baselines=shown),
        epsilon=declared.gates.epsilon,
        min_test_slates=declared.gates.min_test_slates,
        min_test_campaigns=declared.gates.min_test_campaigns,
        seed=settings.seed,
        look=judged.look,
        conditions=judged.conditions,
    )


def _by_snips(settings: Settings, declared: Recommender, split: Split, judged: Judged) -> Verdict:
    def value(scorer: Scorer) -> PolicyValue:
        return value_of_greedy(scorer, split.train, split.test, declared.slate_size, seed=settings.seed)

    shown = {"popularity": judged.popularity.scorer(), **judged.baselines}
    clicks = sum(int((part.clicks > 0).sum()) for part in split)
    rows = sum(part.rows for part in split)
    verdict = judge_by_snips(
        champion=value(judged.champion.scorer()),
        challenger=value(judged.challenger.scorer()),
        baselines={name: value(scorer) for name, scorer in shown.items()},
        min_relative_gain=declared.gates.min_relative_gain,
        asked=asked_of(declared.gates),
        look=judged.look,
    )
    return replace(
        verdict,
        reason=f"{verdict.reason} The whole log has {clicks} clicks in {rows} slots.",
        numbers=verdict.numbers | {"log_clicks": clicks, "log_rows": rows},
    )


def _by_ab_tests(settings: Settings, declared: Recommender, split: Split, judged: Judged) -> Verdict:
    rankers = {
        "popularity": judged.popularity,
        "champion": judged.champion,
        "challenger": judged.challenger,
    }
    scorers = {name: each.scorer() for name, each in rankers.items()} | dict(judged.baselines)
    scores = {name: each.score(split.test.features) for name, each in scorers.items()}
    return judge_by_ab_tests(
        scores,
        ArmCounts(split.test.clicks, split.test.trials, split.test.group_offsets),
        min_gain=declared.gates.min_relative_gain,
        min_tests=declared.gates.min_test_slates,
        epsilon=declared.gates.epsilon,
        seed=settings.seed,
        look=judged.look,
        slices=slices_of(declared, split),
    )


_JUDGES: dict[Judge, Callable[[Settings, Recommender, Split, Judged], Verdict]] = {
    "ab_test": _by_ab_tests,
    "ndcg": _by_ndcg,
    "snips": _by_snips,
}
