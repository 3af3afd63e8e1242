from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from letterpress.features import feature_names, schema_hash
from letterpress.ranking.popularity import popularity_bundle
from letterpress.recommenders import get_recommender
from letterpress.registry.packaging import (
    bento_environment,
    bento_store,
    bento_tag,
    build_bento,
    packed_sha256,
)
from letterpress.registry.store import model_version, register
from letterpress.settings import Settings

RECOMMENDER = "image_enhancement"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    bundle = popularity_bundle(get_recommender(RECOMMENDER), "s1")
    path = bundle.save(settings.paths.registry / "bundles" / RECOMMENDER)
    assert register(settings.paths, RECOMMENDER, path, {}, {}) == 1
    build_bento(settings, RECOMMENDER, 1)
    return settings


def test_a_bento_holds_the_service_our_package_and_the_model(released: Settings) -> None:
    source = bento_store(released.paths) / "bentos" / "ranking" / "image-enhancement-1" / "src"
    assert (source / "service.py").is_file()
    assert (source / "letterpress" / "serving" / "__init__.py").is_file()
    packed = json.loads((source / "packed_model.json").read_text())
    model = model_version(released.paths, RECOMMENDER, 1)
    assert packed["sha256"] == model.sha256
    stored = bento_store(released.paths) / "models" / "image-enhancement" / "1"
    assert (stored / "manifest.json").read_bytes() == (model.bundle / "manifest.json").read_bytes()


def test_what_a_bento_installs_is_pinned_by_hash_and_names_no_address(released: Settings) -> None:
    environment = (
        bento_store(released.paths) / "bentos" / "ranking" / "image-enhancement-1" / "env" / "python"
    )
    requirements = (environment / "requirements.txt").read_text()
    assert "xgboost-cpu==" in requirements
    packages = [line for line in requirements.splitlines() if "==" in line]
    assert all(line.endswith("\\") for line in packages)  # every one goes on with its hashes
    assert "://" not in requirements


def test_packing_again_builds_no_second_bento(released: Settings) -> None:
    marker = bento_store(released.paths) / "bentos" / "ranking" / "image-enhancement-1" / "bento.yaml"
    before = marker.stat().st_mtime_ns
    assert build_bento(released, RECOMMENDER, 1) == bento_tag(RECOMMENDER, 1)
    assert marker.stat().st_mtime_ns == before
    assert packed_sha256(released.paths, bento_tag(RECOMMENDER, 1)) is not None


def test_no_machine_path_is_left_in_the_bento(released: Settings) -> None:
    folder = bento_store(released.paths) / "bentos" / "ranking" / "image-enhancement-1"
    home = str(released.paths.root).encode()
    assert [path for path in folder.rglob("*") if path.is_file() and home in path.read_bytes()] == []


def test_the_packed_package_works_without_the_checkout(released: Settings, tmp_path: Path) -> None:
    source = bento_store(released.paths) / "bentos" / "ranking" / "image-enhancement-1" / "src"
    program = (
        "import letterpress, pathlib;"
        "from letterpress.features import feature_names, schema_hash;"
        "from letterpress.recommenders import get_recommender;"
        f"one = get_recommender('{RECOMMENDER}');"
        "print(pathlib.Path(letterpress.__file__).parent.parent, len(feature_names(one)), schema_hash(one))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**bento_environment(released), "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=True,
    )
    declared = get_recommender(RECOMMENDER)
    assert ran.stdout.split() == [str(source), str(len(feature_names(declared))), schema_hash(declared)]
