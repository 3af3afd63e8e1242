from __future__ import annotations

import resource
import shutil
import signal
from pathlib import Path

import pytest

from letterpress.errors import ModelRefusedError, NotYetThereError, StorageError
from letterpress.ranking.bundle import ModelBundle
from letterpress.registry.store import (
    champion,
    make_champion,
    model_version,
    register,
    restore_previous,
    set_alias,
    versions,
    with_alias,
)
from letterpress.settings import Home

PETS = "pets"


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with MLflow's tables and nothing else: making them takes seconds, copying them does not."""
    home = Home(root=tmp_path_factory.mktemp("registry"))
    register(home, "first", save_bundle(home, "first", "s0"), {}, {})
    return home.registry / "mlflow.db"


@pytest.fixture
def home(empty_registry: Path, tmp_path: Path) -> Home:
    home = Home(root=tmp_path)
    home.registry.mkdir()
    shutil.copy(empty_registry, home.registry / "mlflow.db")
    return home


def save_bundle(home: Home, recommender: str, snapshot: str) -> Path:
    bundle = ModelBundle.popularity(
        recommender=recommender,
        features=("rate",),
        schema_hash="abc",
        snapshot=snapshot,
        score_feature="rate",
    )
    return bundle.save(home.registry / "bundles" / recommender)


def register_pets(home: Home, snapshot: str) -> int:
    return register(home, PETS, save_bundle(home, PETS, snapshot), {"valid": 0.5}, {"train.rows": "10"})


def test_a_new_home_has_no_versions_and_makes_no_database_to_say_so(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    assert versions(home, PETS) == []
    assert champion(home, PETS) is None
    assert not home.registry.exists()


def test_registering_the_same_bundle_again_gives_the_same_version(home: Home) -> None:
    assert [register_pets(home, each) for each in ("s1", "s2", "s1")] == [1, 2, 1]
    assert len(versions(home, PETS)) == 2


def test_a_version_knows_its_bundle_and_its_lineage(home: Home) -> None:
    register_pets(home, "s1")
    model = model_version(home, PETS, 1)
    assert model.name == "pets/1"
    assert model.open_bundle().manifest.snapshot == "s1"
    assert model.tags["snapshot"] == "s1"
    assert model.tags["train.rows"] == "10"
    assert model.tags["metric.valid"] == "0.5"


def test_an_alias_moves_from_version_to_version(home: Home) -> None:
    register_pets(home, "s1")
    register_pets(home, "s2")
    set_alias(home, PETS, "challenger", 1)
    set_alias(home, PETS, "challenger", 2)
    found = with_alias(home, PETS, "challenger")
    assert found is not None
    assert found.version == 2
    assert model_version(home, PETS, 1).aliases == ()


def test_rolling_back_returns_through_all_earlier_champions_and_then_refuses(home: Home) -> None:
    for number, snapshot in enumerate(("s1", "s2", "s3"), start=1):
        make_champion(home, PETS, register_pets(home, snapshot))
        make_champion(home, PETS, number)  # a rerun changes nothing
    taken_back, restored = restore_previous(home, PETS)
    assert (taken_back.name, restored.name) == ("pets/3", "pets/2")
    assert model_version(home, PETS, 3).was_rolled_back
    assert restore_previous(home, PETS)[1].name == "pets/1"
    with pytest.raises(NotYetThereError, match="pets/1, which replaced nobody"):
        restore_previous(home, PETS)


def test_a_champion_is_taken_over_from_only_while_it_stands(home: Home) -> None:
    first, second, third = (register_pets(home, snapshot) for snapshot in ("s1", "s2", "s3"))
    make_champion(home, PETS, first, instead_of="none")
    make_champion(home, PETS, second, instead_of="pets/1")
    with pytest.raises(ModelRefusedError, match=r"from pets/1, but the champion is now pets/2"):
        make_champion(home, PETS, third, instead_of="pets/1")
    assert model_version(home, PETS, second).aliases == ("champion",)


def test_a_damaged_bundle_is_not_rolled_back_to(home: Home) -> None:
    first = save_bundle(home, PETS, "s1")
    for snapshot in ("s1", "s2"):
        make_champion(home, PETS, register_pets(home, snapshot))
    (first / "manifest.json").write_text("{}")
    with pytest.raises(ModelRefusedError):
        restore_previous(home, PETS)
    standing = champion(home, PETS)
    assert standing is not None
    assert standing.version == 2


def test_an_unknown_version_is_refused_with_those_that_exist(home: Home) -> None:
    register_pets(home, "s1")
    with pytest.raises(NotYetThereError, match="found versions: 1"):
        model_version(home, PETS, 9)


def test_another_recommenders_bundle_is_not_registered(home: Home) -> None:
    with pytest.raises(ModelRefusedError, match="one of dogs"):
        register(home, PETS, save_bundle(home, "dogs", "s1"), {}, {})


def test_a_database_that_cannot_be_finished_is_not_left_behind(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    bundle = save_bundle(home, PETS, "s1")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))  # a disk that is full after 100 kB
    try:
        with pytest.raises(StorageError, match=r"expected to read and write mlflow\.db"):
            register(home, PETS, bundle, {}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert not (home.registry / "mlflow.db").exists()
    assert versions(home, PETS) == []
    assert register(home, PETS, bundle, {}, {}) == 1
