"""Packs the ranking service and one model bundle into a Bento that needs nothing of this checkout.

The build runs in a process of its own: BentoML keeps its store and its tracking switch in environment
variables and imports the service, none of which a caller should inherit. A Bento's tag follows from the
model's version, so packing the same version again finds the Bento that is there.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from letterpress.clock import ScaledClock
from letterpress.errors import BrokenError, StorageError
from letterpress.lake.snapshot_layout import CURRENT, read_current
from letterpress.lake.snapshots import TRAINING
from letterpress.ranking.bundle import ModelBundle
from letterpress.registry.publication import publish
from letterpress.registry.store import RegisteredModel, model_version, registry_lock
from letterpress.settings import Home, Settings, child_environment

SERVICE_NAME = "ranking"
BUILD_SECONDS = 300
PACKED = "packed"
"""Folder in a Bento that is laid out like a home."""

_PACKED_PATTERNS = ("bentofile.yaml", "packed_model.json", f"{PACKED}/**", "letterpress/**")
_NOT_PACKED = shutil.ignore_patterns("__pycache__", "*.pyc", "*.tmp")


def bento_store(home: Home) -> Path:
    """BentoML's own folder: `bentos/` and `models/` lie in it."""
    return home.registry / "bentoml"


def bento_tag(recommender: str, version: int) -> str:
    """The tag of the Bento that carries that version.

    >>> bento_tag("image_enhancement", 3)
    'ranking:image-enhancement-3'
    """
    return f"{SERVICE_NAME}:{recommender.replace('_', '-')}-{version}"


def bento_environment(settings: Settings) -> dict[str, str]:
    """The environment in which BentoML builds and serves from our store and reports to nobody."""
    store = str(bento_store(settings.paths))
    return child_environment(settings, BENTOML_HOME=store, BENTOML_DO_NOT_TRACK="True", DO_NOT_TRACK="1")


def packed_sha256(home: Home, tag: str) -> str | None:
    """The checksum of the model bundle in the Bento called `tag`; None when there is no such Bento."""
    name, _, version = tag.partition(":")
    marker = bento_store(home) / "bentos" / name / version / "src" / "packed_model.json"
    if not marker.exists():
        return None
    packed: str = json.loads(marker.read_text())["sha256"]
    return packed


def build_bento(settings: Settings, recommender: str, version: int) -> str:
    """The tag of the Bento of that version, built when it is not there yet.

    Raises:
        ModelRefusedError: the bundle is damaged.
        StorageError: the disk is full.
        BrokenError: BentoML could not build; the message holds the end of its output.
    """
    home, tag = settings.paths, bento_tag(recommender, version)
    model = model_version(home, recommender, version)
    bundle = model.open_bundle()
    with registry_lock(home):
        if packed_sha256(home, tag) != bundle.sha256:
            with _staged(settings, model, bundle) as folder:
                _run_build(settings, folder, tag)
    return tag


@contextmanager
def _staged(settings: Settings, model: RegisteredModel, bundle: ModelBundle) -> Iterator[Path]:
    """A folder with the service, our package and the note that says which model is inside."""
    with tempfile.TemporaryDirectory(prefix="letterpress-bento-") as name:
        folder = Path(name)
        source = settings.project / "bentos" / SERVICE_NAME
        shutil.copytree(source, folder, ignore=_NOT_PACKED, dirs_exist_ok=True)
        package = Path(__file__).resolve().parents[1]
        shutil.copytree(package, folder / package.name, ignore=_NOT_PACKED)
        note = {
            "model": model.name,
            "model_tag": f"{model.recommender.replace('_', '-')}:{model.version}",
            "bundle": str(model.bundle),
            "sha256": bundle.sha256,
            "schema_hash": bundle.manifest.schema_hash,
            "snapshot": bundle.manifest.snapshot,
        }
        _pack_seed(settings.paths, model, Home(root=folder / PACKED))
        (folder / "packed_model.json").write_text(json.dumps(note, indent=2, sort_keys=True) + "\n")
        yield folder


def _pack_seed(home: Home, model: RegisteredModel, packed: Home) -> None:
    """What lets the Bento answer before anything is published where it runs: bundle, pointer, features."""
    bundle = packed.registry / "bundles" / model.recommender / model.bundle.name
    shutil.copytree(model.bundle, bundle)
    publish(
        packed,
        recommender=model.recommender,
        version=model.version,
        bento=bento_tag(model.recommender, model.version),
        bundle=bundle,
        clock=ScaledClock(home.clock),
    )
    current = read_current(home)
    if current is not None:
        source = home.snapshots / current.snapshot
        shutil.copytree(source, packed.snapshots / source.name, ignore=shutil.ignore_patterns(TRAINING))
        shutil.copyfile(home.snapshots / CURRENT, packed.snapshots / CURRENT)


def _run_build(settings: Settings, folder: Path, tag: str) -> None:
    command = [sys.executable, "-m", "letterpress.registry.packaging", str(folder), tag]
    try:
        built = subprocess.run(
            command,
            env=bento_environment(settings),
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BrokenError(
            f"expected the Bento {tag} within {BUILD_SECONDS} s, found the build still running; run again."
        ) from error
    if built.returncode and "No space left on device" in built.stderr:
        raise StorageError(
            f"expected room for the Bento {tag} in {bento_store(settings.paths)} and {folder.parent}, found "
            "the disk full. Nothing was lost and the champion stays: free some space and run again."
        )
    if built.returncode:
        ending = " | ".join((built.stderr or built.stdout).strip().splitlines()[-5:])
        raise BrokenError(f"expected the Bento {tag}, found that BentoML could not build it: {ending}")


def _store_model(note: dict[str, Any]) -> str:
    """Put the bundle into BentoML's model store; a copy that is there and equal is kept."""
    import bentoml

    tag: str = note["model_tag"]
    labels = {"sha256": note["sha256"], "schema_hash": note["schema_hash"], "snapshot": note["snapshot"]}
    for stored in bentoml.models.list():
        if str(stored.tag) == tag:
            if stored.info.labels == labels:
                return tag
            bentoml.models.delete(tag)
    with bentoml.models.create(tag, labels=labels, metadata={"model": note["model"]}) as created:
        shutil.copytree(note["bundle"], created.path, dirs_exist_ok=True)
    return tag


def _build_here(folder: Path, tag: str) -> None:
    """Build the Bento of a staged folder; runs in the process that `_run_build` starts."""
    import bentoml
    import yaml

    declared = yaml.safe_load((folder / "bentofile.yaml").read_text())
    note = json.loads((folder / "packed_model.json").read_text())
    model_tag = _store_model(note)
    note_without_path = {key: value for key, value in note.items() if key != "bundle"}
    (folder / "packed_model.json").write_text(json.dumps(note_without_path, indent=2, sort_keys=True) + "\n")
    name, _, version = tag.partition(":")
    for stored in bentoml.bentos.list():
        if str(stored.tag) == tag:
            bentoml.bentos.delete(tag)
    built = bentoml.bentos.build(
        service=declared["service"],
        name=name,
        version=version,
        description=declared.get("description"),
        labels={**declared.get("labels", {}), "model": note["model_tag"].replace(":", "-")},
        include=[*declared.get("include", []), *_PACKED_PATTERNS],
        python=declared.get("python"),
        models=[model_tag],
        build_ctx=str(folder),
    )
    # BentoML adds itself once more and without a hash, which installers that check hashes refuse.
    locked = declared["python"]["requirements_txt"]
    shutil.copyfile(folder / locked, built.path_of("env/python/requirements.txt"))


if __name__ == "__main__":
    _build_here(Path(sys.argv[1]), sys.argv[2])
