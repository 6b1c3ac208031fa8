"""A manifest of many entries, each with two variants, as a build with encodings writes it.

python -m probes.manifests FOLDER ENTRIES
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from trees.seeded import MAKERS, small_name

from flask_s3.building.names import with_codec, with_digest
from flask_s3.manifest import Entry, Manifest, Published, dumps

ENCODINGS = ("br", "gzip")
INTEGRITY = f"sha256-{'A' * 43}="


def names_of(entries: int) -> list[str]:
    """The files' names."""
    extensions = tuple(MAKERS)
    return [small_name(n, extensions[n % len(extensions)]) for n in range(entries)]


def entry(name: str) -> Entry:
    """A file with a digest and two variants."""
    published = with_digest(name, sha256(name.encode()).hexdigest()).rpartition("/")[2]
    variants = {c: Published(with_codec(published, c), INTEGRITY) for c in ENCODINGS}
    return Entry(Published(published, INTEGRITY), variants)


def write_manifest(folder: Path, names: Sequence[str]) -> None:
    """Writes it where an app below ``folder`` looks for it."""
    manifest = Manifest({f"static/{name}": entry(name) for name in names})
    folder.joinpath("flask-s3-manifest.json").write_bytes(dumps(manifest))


if __name__ == "__main__":
    write_manifest(Path(sys.argv[1]), names_of(int(sys.argv[2])))
