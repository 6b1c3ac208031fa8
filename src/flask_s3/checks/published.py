"""Whether the manifest at hand is in step with the release in force; which objects to ask for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import manifest_file
from ..assets import METADATA_PREFIX
from ..errors import BuildError
from ..findings import Finding, Verdict
from ..manifest import Manifest, differences, from_json
from ..release.records import Record
from ..release.releases import Current, Releases
from ..settings import BUCKET, Settings
from ..store.protocol import Known

if TYPE_CHECKING:
    from flask import Flask

_FONTS = (".woff2", ".woff", ".ttf", ".otf")
_SCRIPTS = (".mjs", ".js")


@dataclass(frozen=True, slots=True)
class Sample:
    """A published object that is asked for.

    Attributes:
        key: its key.
        known: what is remembered of it.
        is_fingerprinted: whether its name changes with its content.
    """

    key: str
    known: Known
    is_fingerprinted: bool

    @property
    def visible(self) -> str | None:
        """The SHA-256 of what browsers have when they decoded it; None when unknown."""
        is_encoded = "content-encoding" in (self.known.headers or {})
        return self.known.decoded or (None if is_encoded else self.known.sha256)


def release(current: Current | None, lost: Collection[str]) -> Finding:
    """Returns how the release in force stands.

    Args:
        current: what the pointer names.
        lost: keys of its objects that were asked for and are gone.
    """
    if current is None:
        what = "Nothing of this app is published yet."
        return _release(Verdict.WARNING, what, "Pages find none of their files.", _DEPLOY)
    if current.record is None:
        what = "The record of the release in force is lost, or cannot be read."
        why = "What is published is not known any more."
        return _release(Verdict.ERROR, what, why, _DEPLOY)
    if lost:
        what = f"Objects of the release in force are gone, {min(lost)} among them."
        return _release(Verdict.ERROR, what, "Pages ask for them.", f"{_DEPLOY} --verify-remote")
    if current.unfinished:
        what = "A deploy is under way, or died before its end, or its purge of the CDN failed."
        why = "Plain names, or the CDN's copies of them, may be those of two releases."
        return _release(Verdict.WARNING, what, why, _DEPLOY)
    return _release(Verdict.OK, f"The release {current.release} is in force.", "", "")


_DEPLOY = "flask s3 deploy"


def _release(verdict: Verdict, what: str, why: str, fix: str) -> Finding:
    return Finding("release", verdict, what, why, fix)


def in_step(app: Flask, settings: Settings, record: Record, releases: Releases) -> Finding:
    """Returns whether pages name the files of the release in force.

    Raises:
        StoreError: the store does not let us look at the other releases.
    """
    if not settings.fingerprint:
        return _manifest(Verdict.OK, "Files have their own names, so there is no manifest.")
    if settings.manifest == BUCKET and settings.release is not None:
        return _pinned(settings.release, releases)
    if record.manifest is None:
        return _manifest(
            Verdict.ERROR,
            "The release in force was published without fingerprints.",
            "Pages name files that are not there.",
            _DEPLOY,
        )
    if settings.manifest == BUCKET:
        return _manifest(Verdict.OK, "The app takes the manifest of the release in force.")
    return _at_hand(app, settings, record, releases)


def _pinned(wanted: str, releases: Releases) -> Finding:
    found = releases.release(wanted)
    if found is not None and found.manifest is not None:
        return _manifest(Verdict.OK, f"The app serves the release {wanted}, which is there.")
    return _manifest(
        Verdict.ERROR,
        f"FLASKS3_RELEASE names {wanted!r}, which is no release with a manifest.",
        "The app cannot tell the names of its files.",
        "flask s3 releases",
    )


def _at_hand(app: Flask, settings: Settings, record: Record, releases: Releases) -> Finding:
    path = manifest_file.path_of(app, settings)
    try:
        hand = manifest_file.load(app, settings)
        in_force = from_json(record.manifest, f"of the release {record.id}")
    except BuildError as error:
        why = "Pages name files by their plain names until it is there."
        return _manifest(Verdict.ERROR, str(error), why, "flask s3 build")
    if not differences(hand, in_force):
        return _manifest(Verdict.OK, f"{path.name} is that of the release in force.")
    others = releases.kept().values()
    known = {key for other in others for key in other.objects}
    missing = [key for key in _keys(hand, settings) if key not in known]
    if not missing:
        return _manifest(
            Verdict.WARNING,
            f"{path.name} is not that of the release in force, but of another that is kept.",
            "Pages name that one's files, until it is pruned.",
            _DEPLOY,
        )
    return _manifest(
        Verdict.ERROR,
        f"{path.name} names {_files(len(missing))} that no release has: {missing[0]} is one.",
        "Pages ask for them, and the bucket has no such object.",
        _DEPLOY,
    )


def _files(number: int) -> str:
    return f"{number:,} file" if number == 1 else f"{number:,} files"


def _manifest(verdict: Verdict, what: str, why: str = "", fix: str = "") -> Finding:
    return Finding("manifest", verdict, what, why, fix)


def _keys(manifest: Manifest, settings: Settings) -> Iterator[str]:
    """Yields the keys that pages ask for by a manifest."""
    for path, entry in manifest.entries.items():
        yield f"{settings.key_start}{path[: path.rfind('/') + 1]}{entry.identity.name}"


# -- what is asked for


def samples(record: Record, settings: Settings, prefixes: Sequence[str]) -> list[Sample]:
    """Returns one object for each key prefix: small, and known by a name of its own if one is."""
    fingerprinted = _fingerprinted(record, settings)
    public = [key for key in record.objects if not key.startswith(METADATA_PREFIX)]
    found = []
    for prefix in prefixes:
        keys = [key for key in public if key.startswith(prefix)]
        if keys:
            key = min(keys, key=lambda k: (k not in fingerprinted, *_cost(record.objects[k])))
            found.append(Sample(key, record.objects[key], key in fingerprinted))
    return found


def _fingerprinted(record: Record, settings: Settings) -> set[str]:
    """Returns the keys that change with the content; none where the record cannot tell."""
    if record.manifest is None:
        return set()
    try:
        manifest = from_json(record.manifest, f"of the release {record.id}")
    except BuildError:
        return set()
    plain = {f"{settings.key_start}{path}" for path in manifest.entries}
    return set(_keys(manifest, settings)) - plain


def _cost(known: Known) -> tuple[bool, bool, int]:
    """Orders objects: not encoded, not empty, the smallest first."""
    return "content-encoding" in (known.headers or {}), known.size == 0, known.size


def for_cors(record: Record, given: Sequence[Sample]) -> str:
    """Returns the key to ask for from another origin: a font, else a script, else any."""
    for endings in (_FONTS, _SCRIPTS):
        keys = [key for key in record.objects if key.lower().endswith(endings)]
        if keys:
            return min(keys, key=lambda k: (record.objects[k].size, k))
    return given[0].key


def needs_cors(names: Collection[str], record: Record | None, settings: Settings) -> list[str]:
    """Returns what of an app needs CORS.

    Args:
        names: of its files, as they are now or are published.
        record: the release in force.
        settings: which tell whether tags carry `integrity`.
    """
    modules = (record.manifest or {}).get("modules") if record else None
    needs = {
        "fonts": any(name.lower().endswith(_FONTS) for name in names),
        "modules": bool(modules) or any(name.lower().endswith(".mjs") for name in names),
        "files with integrity": settings.integrity,
    }
    return [what for what, needed in needs.items() if needed]
