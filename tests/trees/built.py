"""An npm package as an app's static folder, built once for all tests and processes of a run."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import finding
import npm
from finding import Ref
from flask import Flask
from locks import locked

from flask_s3 import FlaskS3
from flask_s3.assets import Level
from flask_s3.building.assembly import assemble
from flask_s3.building.collect import Selection, collect
from flask_s3.building.references import language
from flask_s3.building.tree import write_tree
from flask_s3.building.workshop import FOLDER, Workshop
from flask_s3.serve.serving import state_of

LEFT_OUT: Mapping[str, Sequence[str]] = {
    "@fortawesome/fontawesome-free": ("/metadata/", "/scss/", "/sprites-full/", "/svgs-full/"),
    "@tabler/core": ("/scss/",),
    "bootstrap": ("/scss/",),
    "mathjax": (),
    # `dev` is `min` once more, with longer names
    "monaco-editor": ("/dev/",),
    "swagger-ui-dist": (),
    "three": (),
}
"""Each package, and what of it nobody would publish, or what says nothing new."""

_IN_BUCKET = {"FLASKS3_BUCKET_NAME": "shop-assets", "FLASKS3_FINGERPRINT": True}


@dataclass(frozen=True)
class Tree:
    """A package before and after.

    Attributes:
        original: the static folder.
        published: the folder that `flask s3 build -o` would have written.
        problems: what the build reported: file below `original`, line, level, sentence.
        ours: places and paths of the references that the build found in the originals, by file.
        before: the references that an independent finder finds in the originals.
        after: those that it finds in what is published.
    """

    original: Path
    published: Path
    problems: Sequence[tuple[str, int, Level, str]]
    ours: Mapping[str, Sequence[tuple[int, int, str]]]
    before: Mapping[str, Sequence[Ref]]
    after: Mapping[str, Sequence[Ref]] = field(default_factory=dict)

    @cached_property
    def objects(self) -> Mapping[str, Mapping[str, Any]]:
        """What is said of each object, by key."""
        index: dict[str, Any] = json.loads(self._index)["objects"]
        return index

    @cached_property
    def entries(self) -> Mapping[str, tuple[str, str, Mapping[str, Sequence[str]]]]:
        """The manifest's entries, by file: published name, integrity, variants."""
        entries = json.loads(self._index)["manifest"]["entries"]
        return {path.removeprefix("static/"): tuple(entry) for path, entry in entries.items()}

    @property
    def _index(self) -> str:
        return (self.published / ".flask-s3" / "build.json").read_text()

    def key(self, name: str) -> str:
        """Returns the key that a file is published under."""
        return beside(f"static/{name}", self.entries[name][0])

    def old(self, name: str) -> bytes:
        return (self.original / name).read_bytes()

    def new(self, name: str) -> bytes:
        return (self.published / self.key(name)).read_bytes()

    def dead(self) -> Iterator[tuple[str, Ref]]:
        """Yields the references that lead to no file of the originals."""
        for name, refs in self.before.items():
            for ref in refs:
                if self.target(name, ref) not in self.entries:
                    yield name, ref

    def target(self, name: str, ref: Ref) -> str:
        """Returns the file that a reference in a file leads to, by its published or plain name."""
        return finding.target(f"/static/{quote(name)}", ref).removeprefix("/static/")

    def line(self, name: str, ref: Ref) -> int:
        return self.old(name).count(b"\n", 0, ref.start) + 1


def beside(path: str, name: str) -> str:
    """Returns the path of another file in the same folder."""
    folder, slash, _ = path.rpartition("/")
    return f"{folder}{slash}{name}"


def app_of(folder: Path, static: Path, **config: Any) -> Flask:
    """Returns an app that serves a folder, and whose own files are in another."""
    app = Flask("shop", root_path=str(folder), static_folder=str(static), static_url_path="/static")
    app.config.update(_IN_BUCKET, **config)
    FlaskS3(app)
    return app


def tree_of(package: str, folder: Path) -> Tree:
    """Returns a package's tree, from the folder where another process of this run left it."""
    here = folder / package.replace("/", "-")
    kept = here / "tree.pickle"
    with locked(here / ".lock"):
        if not kept.is_file():
            kept.write_bytes(pickle.dumps(_built(package, here)))
        tree: Tree = pickle.loads(kept.read_bytes())
    return tree


def _built(package: str, here: Path) -> Tree:
    static = npm.packages() / package
    app = app_of(here, static, FLASKS3_IGNORE=LEFT_OUT[package])
    settings = state_of(app).settings()
    build = assemble(app, settings, Selection())
    assert build.refusals == ()
    assert build.notes == ()
    write_tree(here / "published", build)
    assets = collect(app, settings, Selection()).assets
    with Workshop(here / FOLDER) as workshop:  # which remembers what the build found
        found = {
            asset.filename: workshop.found(asset, spoken).references
            for asset in assets
            if (spoken := language(asset.filename))
        }
    tree = Tree(
        original=static,
        published=here / "published",
        problems=[
            (Path(p.file).relative_to(static).as_posix(), p.line, p.level, p.text)
            for p in build.problems
        ],
        ours={
            name: [(ref.start, ref.stop, ref.path) for ref in refs]
            for name, refs in found.items()
            if refs
        },
        before=finding.find(static, [asset.filename for asset in assets]),
    )
    keys = {tree.key(name): name for name in tree.entries}
    after = finding.find(tree.published, keys)
    return replace(tree, after={keys[key]: refs for key, refs in after.items()})
