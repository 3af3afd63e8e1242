"""What a model is, everywhere: an immutable folder named after its own content.

`registry/bundles/<recommender>/<first 16 hex of the manifest's sha256>/` holds `manifest.json` and, for
kind `xgboost`, `booster.ubj`, for kind `linear`, `linear.json`, and for those that were fitted
`calibration.json`, which makes rates of scores. The manifest lists the sha256 of every other
file, so the sha256 of the manifest vouches for all of it. No time of day goes in: the same data and settings
give the same bundle.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import msgspec

from letterpress.atomic_file import sync_path, write_atomically
from letterpress.errors import ModelRefusedError, StorageError
from letterpress.ranking.calibration import Calibration
from letterpress.ranking.linear_head import LinearHead, LinearScorer
from letterpress.ranking.scorer import BoosterScorer, ColumnsScorer, PopularityScorer, Scorer

MANIFEST_NAME = "manifest.json"
BOOSTER_NAME = "booster.ubj"
HEAD_NAME = "linear.json"
CALIBRATION_NAME = "calibration.json"
_FILES = {"xgboost": BOOSTER_NAME, "linear": HEAD_NAME}
"""What a bundle of each kind cannot do without."""


class BundleManifest(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What the bundle is and what it came from."""

    recommender: str
    kind: Literal["linear", "popularity", "xgboost"]
    features: tuple[str, ...]
    """Names of the feature columns, in the order that the scorer takes them."""
    schema_hash: str
    snapshot: str
    training: dict[str, Any] = {}
    """Rows, slates, range, seed and parameters that it was trained with."""
    metrics: dict[str, Any] = {}
    files: dict[str, str] = {}
    """sha256 of every file beside the manifest."""
    score_feature: str | None = None
    """For kind `popularity`: the feature that is the score."""


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _refuse(path: Path, expected: str, found: str) -> ModelRefusedError:
    return ModelRefusedError(
        f"{path}: expected {expected}, found {found}; train again, or roll back to another version."
    )


@dataclass(frozen=True, slots=True)
class ModelBundle:
    """A manifest and the files that it vouches for, in memory."""

    manifest: BundleManifest
    booster: bytes | None = None
    head: bytes | None = None
    calibration: bytes | None = None
    columns: tuple[int, ...] | None = None
    """Where its features are among those that it is given; None where it is given nothing else."""

    @classmethod
    def popularity(
        cls,
        *,
        recommender: str,
        features: tuple[str, ...],
        schema_hash: str,
        snapshot: str,
        score_feature: str,
        training: dict[str, Any] | None = None,
    ) -> ModelBundle:
        """The bundle that ranks by `score_feature` alone; it needs no training."""
        if score_feature not in features:
            raise ModelRefusedError(
                f"expected a score feature among {', '.join(features)}; found {score_feature!r}."
            )
        manifest = BundleManifest(
            recommender=recommender,
            kind="popularity",
            features=features,
            schema_hash=schema_hash,
            snapshot=snapshot,
            training=training or {},
            score_feature=score_feature,
        )
        return cls(manifest)

    @classmethod
    def xgboost(
        cls,
        booster: bytes,
        *,
        recommender: str,
        features: tuple[str, ...],
        schema_hash: str,
        snapshot: str,
        training: dict[str, Any] | None = None,
        metrics: dict[str, Any] | None = None,
    ) -> ModelBundle:
        """The bundle of a trained booster in XGBoost's UBJ form."""
        manifest = BundleManifest(
            recommender=recommender,
            kind="xgboost",
            features=features,
            schema_hash=schema_hash,
            snapshot=snapshot,
            training=training or {},
            metrics=metrics or {},
            files={BOOSTER_NAME: _sha256(booster)},
        )
        return cls(manifest, booster)

    @classmethod
    def linear(
        cls,
        head: LinearHead,
        *,
        recommender: str,
        features: tuple[str, ...],
        schema_hash: str,
        snapshot: str,
        training: dict[str, Any] | None = None,
        metrics: dict[str, Any] | None = None,
    ) -> ModelBundle:
        """The bundle of a linear model of texts."""
        content = head.encode()
        manifest = BundleManifest(
            recommender=recommender,
            kind="linear",
            features=features,
            schema_hash=schema_hash,
            snapshot=snapshot,
            training=training or {},
            metrics=metrics or {},
            files={HEAD_NAME: _sha256(content)},
        )
        return cls(manifest, head=content)

    @property
    def manifest_bytes(self) -> bytes:
        text = msgspec.json.encode(self.manifest, order="sorted")
        return msgspec.json.format(text, indent=2) + b"\n"

    @property
    def sha256(self) -> str:
        """The sha256 of the manifest, which vouches for every file; 64 hex digits."""
        return _sha256(self.manifest_bytes)

    @property
    def score_column(self) -> int:
        """Column of `features` that is the score of a popularity bundle."""
        if self.manifest.score_feature is None:
            raise ModelRefusedError(f"a {self.manifest.kind} bundle has no score feature; train again.")
        return self.manifest.features.index(self.manifest.score_feature)

    def with_calibration(self, calibration: Calibration) -> ModelBundle:
        """The bundle that also says what rates its scores stand for."""
        content = calibration.encode()
        files = self.manifest.files | {CALIBRATION_NAME: _sha256(content)}
        return replace(
            self, manifest=msgspec.structs.replace(self.manifest, files=files), calibration=content
        )

    def read_calibration(self) -> Calibration | None:
        """What makes rates of its scores; None where nothing was fitted."""
        return None if self.calibration is None else Calibration.decode(self.calibration)

    def reading(self, names: tuple[str, ...]) -> ModelBundle:
        """The bundle that picks its features out of rows of `names`, which must hold all of them."""
        return replace(self, columns=tuple(names.index(name) for name in self.manifest.features))

    def scorer(self, *, threads: int = 1) -> Scorer:
        """What scores features in the manifest's order. Serving puts its compiled scorer in its place."""
        own = self._own_scorer(threads)
        return own if self.columns is None else ColumnsScorer(own, self.columns)

    def _own_scorer(self, threads: int) -> Scorer:
        if self.head is not None:
            return LinearScorer(LinearHead.decode(self.head), self.manifest.features)
        if self.booster is None:
            return PopularityScorer(self.score_column)
        return BoosterScorer(self.booster, threads=threads)

    def require_schema(self, schema_hash: str) -> None:
        """Refuse a bundle whose features are not computed as `schema_hash` says.

        Raises:
            ModelRefusedError: the hashes differ.
        """
        if self.manifest.schema_hash != schema_hash:
            raise ModelRefusedError(
                f"{self.manifest.recommender}: expected a model of feature schema {schema_hash}, found "
                f"{self.manifest.schema_hash}; run `letterpress train --recommender "
                f"{self.manifest.recommender}`."
            )

    def save(self, folder: Path) -> Path:
        """Write the bundle to `folder/<sha16>` in one rename; a bundle that is there is verified and kept.

        Raises:
            ModelRefusedError: a folder of that name holds something else.
        """
        target = folder / self.sha256[:16]
        if target.exists():
            ModelBundle.load(target, sha256=self.sha256)
            return target
        folder.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=".bundle-", suffix=".tmp", dir=folder))
        try:
            for name, content in self._contents().items():
                if content is not None:
                    write_atomically(building / name, content)
            write_atomically(building / MANIFEST_NAME, self.manifest_bytes)
            building.chmod(0o755)
            building.rename(target)
        except OSError:
            shutil.rmtree(building, ignore_errors=True)
            if not target.exists():  # else another process was quicker with the same bytes
                raise
        sync_path(folder)
        return target

    @classmethod
    def load(cls, path: Path, *, sha256: str | None = None) -> ModelBundle:
        """The bundle in `path`, after every checksum was compared.

        Raises:
            ModelRefusedError: a file is missing or differs from its checksum, or the manifest does not fit.
            StorageError: there is no bundle at `path`.
        """
        try:
            content = (path / MANIFEST_NAME).read_bytes()
        except FileNotFoundError as error:
            raise StorageError(
                f"expected a model bundle in {path}, found no {MANIFEST_NAME}; "
                "run `letterpress status` to see which models exist."
            ) from error
        found = _sha256(content)
        if sha256 is not None and found != sha256:
            raise _refuse(path / MANIFEST_NAME, f"sha256 {sha256}", found)
        try:
            manifest = msgspec.json.decode(content, type=BundleManifest)
        except msgspec.DecodeError as error:
            raise _refuse(path / MANIFEST_NAME, "a bundle manifest", str(error)) from error
        files = {name: _read_checked(path / name, digest) for name, digest in manifest.files.items()}
        needed = _FILES.get(manifest.kind)
        if needed is not None and needed not in files:
            raise _refuse(path, f"{needed} for kind {manifest.kind}", "no such entry in the manifest")
        return cls(manifest, files.get(BOOSTER_NAME), files.get(HEAD_NAME), files.get(CALIBRATION_NAME))

    def _contents(self) -> dict[str, bytes | None]:
        return {BOOSTER_NAME: self.booster, HEAD_NAME: self.head, CALIBRATION_NAME: self.calibration}


def _read_checked(path: Path, digest: str) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise _refuse(path, f"a file of sha256 {digest}", "nothing") from error
    if _sha256(content) != digest:
        raise _refuse(path, f"sha256 {digest}", _sha256(content))
    return content
