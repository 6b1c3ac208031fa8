"""Every file that a static route of an app can serve, read from disk.

The object's key is the URL's path by construction: prefix + mount + file name.
"""

from __future__ import annotations

import errno
import filecmp
import hashlib
import os
import posixpath
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..assets import METADATA_PREFIX, Asset, Notes, Refuse
from ..errors import SettingsError
from ..patterns import matcher
from ..routes import StaticRoute, matched_endpoint, static_routes
from ..settings import Settings
from . import bundlers, guard, names
from .doubts import INLINE_MAP, Doubt, Doubts, let_through, of_litter, of_twins
from .objects import Bundled

if TYPE_CHECKING:
    from flask import Flask

# Amazon S3 User Guide, "Amazon S3 multipart upload limits": 5 TiB an object, 1,024 bytes a key.
LARGEST_OBJECT = 5 * 1024**4
LONGEST_KEY = 1024
_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Collection:
    """What was found on disk.

    Attributes:
        assets: with distinct keys, in the order of the keys.
        refusals: files that cannot or must not be published, each with the reason.
        warnings: what was noticed.
        whole: whether every file of the app is here (False: a filter left some out).
        bundled: what bundlers' own manifests say.
    """

    assets: tuple[Asset, ...]
    refusals: tuple[Refuse, ...]
    warnings: tuple[str, ...]
    whole: bool
    bundled: Bundled


class Digests(Protocol):
    """Remembers what files hash to."""

    def digest(self, path: str, status: os.stat_result) -> str | None:
        """Returns the SHA-256 of a file that may be published, None when it has to be read."""
        ...

    def remember(self, path: str, status: os.stat_result, digest: str) -> None:
        """Takes in what a file hashes to that may be published, whatever the settings."""
        ...


@dataclass(frozen=True, slots=True)
class Selection:
    """Which files are wanted.

    Attributes:
        include_hidden: also those with a path segment that begins with a dot.
        pattern: only those in whose path, relative to the static folder, it is found.
    """

    include_hidden: bool = False
    pattern: re.Pattern[str] | None = None

    @classmethod
    def of(cls, *, include_hidden: bool, regex: str | None, source: str) -> Selection:
        """Returns the selection that a call or command asks for.

        Raises:
            SettingsError: `regex` is none; the message names `source`.
        """
        try:
            return cls(include_hidden, re.compile(regex) if regex is not None else None)
        except (re.error, OverflowError, RecursionError) as error:
            raise SettingsError(
                f"{source} is {regex!r}, which is no regular expression ({error}): correct it."
            ) from None


def key_prefixes(app: Flask, settings: Settings) -> tuple[str, ...]:
    """Returns where an app's objects live, such as `static/` and `admin/static/`; no disk is read.

    None of them begins with another.
    """
    mounts = (mount for route in static_routes(app) for mount in route.mounts)
    paths = {settings.key_start + mount.path.lstrip("/") for mount in mounts}
    return tuple(p for p in sorted(paths) if not any(p != q and p.startswith(q) for q in paths))


def collect(
    app: Flask, settings: Settings, selection: Selection, digests: Digests | None = None
) -> Collection:
    """Returns the files to publish, hashed, with the keys that their URLs will ask for.

    Args:
        app: whose static routes are read.
        settings: what is left out, and what stands before the keys.
        selection: which files are wanted.
        digests: spares reading what was read before; None: everything is read.

    Raises:
        SettingsError: `FLASKS3_IGNORE` holds a line that is no pattern.
    """
    return _Collector(app, settings, selection, digests).collect()


@dataclass(frozen=True, slots=True)
class _Found:
    """A file under a mount, before it is read."""

    route: StaticRoute
    mount_path: str
    filename: str
    path: str
    status: os.stat_result

    @property
    def url_path(self) -> str:
        return self.mount_path + self.filename


class _Collector:
    """One run over an app's static routes."""

    def __init__(
        self, app: Flask, settings: Settings, selection: Selection, digests: Digests | None
    ) -> None:
        self._app = app
        self._settings = settings
        self._start = settings.key_start
        self._selection = selection
        self._digests = digests
        self._longest_key = LONGEST_KEY - (names.LONGEST_ADDITION if settings.fingerprint else 0)
        self._ignored = matcher("FLASKS3_IGNORE", settings.ignore)
        # A pattern that takes back decides file by file, as `url_for` asks: no folder is skipped.
        self._skips_folders = not any(line.startswith("!") for line in settings.ignore)
        self._own_names = frozenset(_own_names(app))
        self._doubts = Doubts()
        self._notes = Notes()
        self._refusals: dict[str, Refuse] = {}
        self._output_folders: list[tuple[StaticRoute, str]] = []

    def collect(self) -> Collection:
        found: dict[str, _Found] = {}
        routes = static_routes(self._app)
        for route in routes:
            for candidate in self._files(route):
                key = self._key(candidate.url_path)
                other = found.get(key)
                found[key] = candidate if other is None else self._settle(key, other, candidate)
        self._doubt_twins(found)
        self._note_allowed_in_vain(routes)
        # What the file system told of each file is let go with it: of a million, it is half a GB.
        assets = [self._asset(key, found.pop(key)) for key in sorted(found)]
        for doubt in self._doubts.all():
            self._notes.add(doubt)
        bundled = self._bundled()
        return Collection(
            tuple(asset for asset in assets if asset is not None),
            tuple(self._refusals.values()),
            self._notes.all(),
            self._selection.pattern is None,
            bundled,
        )

    def _key(self, url_path: str) -> str:
        return self._start + url_path.lstrip("/")

    # -- finding

    def _files(self, route: StaticRoute) -> Iterator[_Found]:
        if not route.mounts:
            self._notes.add(
                f"The static route {route.rule!r} has a variable without a fixed set of values, so "
                "its files are not published and their URLs stay Flask's own: write the variable "
                "as any(…)."
            )
            return
        if not Path(route.folder).is_dir():
            self._notes.add(
                f"The static folder {route.folder} of {route.endpoint!r} does not exist, so "
                "nothing of it is published: create it, or set static_folder=None."
            )
            return
        # Flask-Vite serves `dist/assets`, and the manifest stands in `dist`.
        self._output_folders.append((route, ".."))
        for filename, entry in self._walk(route):
            for mount in route.mounts:
                yield _Found(route, mount.path, filename, entry.path, entry.stat())

    def _walk(self, route: StaticRoute) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """Yields (POSIX path relative to the folder, entry) of each wanted file."""
        real = os.path.realpath(route.folder)
        pending: list[tuple[str, str, tuple[str, ...]]] = [("", route.folder, (real,))]
        while pending:
            relative, directory, above = pending.pop()
            for entry in self._entries(directory):
                name = relative + entry.name
                if entry.name == bundlers.VITE_FOLDER:
                    self._output_folders.append((route, relative.rstrip("/") or "."))
                if self._is_left_out(name, entry):
                    continue
                kind = self._kind(entry, name, real)
                if kind == "file" and self._is_wanted(name):
                    yield name, entry
                elif kind == "folder":
                    target = os.path.realpath(entry.path)
                    if target not in above:
                        pending.append((f"{name}/", entry.path, (*above, target)))

    def _entries(self, directory: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(directory) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self._refuse(directory, f"it could not be read ({error.strerror}): {_MEND}")
            return []

    def _is_left_out(self, name: str, entry: os.DirEntry[str]) -> bool:
        hidden = entry.name.startswith(".") and entry.name != ".well-known"
        if hidden and not self._selection.include_hidden:
            return True
        if not _is_utf8(name):
            self._refuse(
                ascii(entry.path),
                "its name is not UTF-8, so no URL can name it: rename it.",
            )
            return True
        if _is_folder(entry):
            return self._skips_folders and self._ignored(f"{name}/")
        return self._ignored(name)

    def _is_wanted(self, name: str) -> bool:
        pattern = self._selection.pattern
        return pattern is None or pattern.search(name) is not None

    def _kind(self, entry: os.DirEntry[str], name: str, real: str) -> str:
        """Returns `file`, `folder` or `` for what is neither, noting what a symlink does."""
        try:
            mode = entry.stat().st_mode
        except OSError as error:
            if entry.is_symlink() and error.errno in {errno.ENOENT, errno.ELOOP}:
                self._notes.add(
                    f"{entry.path} is a broken symlink, so it is not published: mend or remove it."
                )
            else:
                self._refuse(entry.path, f"it could not be read ({error.strerror}): {_MEND}")
            return ""
        if entry.is_symlink() and not self._may_follow(entry.path, name, real):
            return ""
        if stat.S_ISDIR(mode):
            return "folder"
        if stat.S_ISREG(mode):
            return "file"
        self._notes.add(f"{entry.path} is neither a file nor a folder, so it is not published.")
        return ""

    def _may_follow(self, path: str, name: str, real: str) -> bool:
        target = os.path.realpath(path)
        if os.path.commonpath([real, target]) == real or name in self._settings.allow:
            return True
        text = f"is a symlink to {target}, outside its static folder"
        if self._settings.strict:
            self._refuse(path, f"it {text}, which FLASKS3_STRICT refuses: copy what it points to.")
            return False
        self._notes.add(f"{path} {text}: it is published all the same, as Flask serves it.")
        return True

    def _bundled(self) -> Bundled:
        """Returns what the bundlers' manifests say that stand in the static folders."""
        keys: set[str] = set()
        aliases: dict[str, str] = {}
        for route, folder in self._output_folders:
            for output in bundlers.outputs(route.folder, folder, self._notes):
                for mount in route.mounts:
                    key = self._key(mount.path + output.filename)
                    keys.add(key)
                    if output.alias is not None:
                        aliases[self._key(mount.path + output.alias)] = key
        return Bundled(frozenset(keys), aliases)

    # -- two files, one key

    def _settle(self, key: str, first: _Found, second: _Found) -> _Found:
        """Returns which of two files is published, as Flask would decide it."""
        if os.path.realpath(first.path) == os.path.realpath(second.path):
            return first
        if first.route.host != second.route.host:
            return self._settle_hosts(key, first, second)
        endpoint = matched_endpoint(self._app, first.url_path, first.route.host)
        winner, loser = (second, first) if endpoint == second.route.endpoint else (first, second)
        self._notes.add(
            f"{winner.path} and {loser.path} have the same URL {first.url_path}: the first is "
            "published, since Flask serves it. Give one of them another name, or its blueprint a "
            "static_url_path."
        )
        return winner

    def _settle_hosts(self, key: str, first: _Found, second: _Found) -> _Found:
        try:
            same = filecmp.cmp(first.path, second.path, shallow=False)
        except OSError:  # reading it will say why
            same = True
        if not same:
            self._refuse(
                key,
                f"{first.path} and {second.path} have the same path {first.url_path} on two hosts "
                "but differ, and a bucket knows no hosts: rename one of them.",
            )
        return first

    # -- deciding

    def _asset(self, key: str, found: _Found) -> Asset | None:
        if key in self._refusals:
            return None
        try:
            made = self._objection(key, found) or self._read(key, found)
        except OSError as error:
            made = f"it could not be read ({error.strerror}): {_MEND}"
        if isinstance(made, Asset):
            return made
        self._refuse(key, made)
        return None

    def _objection(self, key: str, found: _Found) -> str | None:
        reason = guard.refused_name(found.filename)
        if reason is not None and not self._is_allowed(found):
            return _secret(reason, found)
        if key.startswith(METADATA_PREFIX):
            return f"the keys under {METADATA_PREFIX} are our own: rename the folder."
        if len(key.encode()) > self._longest_key:
            what = "its key, with a digest in it," if self._settings.fingerprint else "its key"
            return f"{what} is longer than S3's {LONGEST_KEY} bytes: shorten the path."
        litter = guard.litter(found.filename, self._own_names)
        if litter is None or (litter is guard.SOURCE_MAP and self._settings.source_maps):
            return None
        return self._doubt(of_litter(litter), [found])

    # -- what is hardly meant to be published

    def _doubt(self, doubt: Doubt, about: Sequence[_Found]) -> str | None:
        """Returns why files that hardly anybody means to publish are refused; else notes them."""
        if any(self._is_allowed(found) for found in about):
            return None
        if self._settings.strict:
            return doubt.refusal(about[0].filename)
        paths = " and ".join(as_seen_from_here(found.path) for found in about)
        self._doubts.add(doubt, paths, about[0].filename)
        return None

    def _doubt_twins(self, found: Mapping[str, _Found]) -> None:
        for keys in guard.twins(found):
            reason = self._doubt(of_twins(keys), [found[key] for key in keys])
            if reason is not None:
                for key in keys:
                    self._refuse(key, reason)

    def _note_allowed_in_vain(self, routes: Sequence[StaticRoute]) -> None:
        for name in self._settings.allow:
            paths = [f"{route.folder}/{name}" for route in routes]
            if name != posixpath.normpath(name) or not any(map(os.path.isfile, paths)):
                self._notes.add(
                    f"FLASKS3_ALLOW names {name!r}, and there is no such file: write its path "
                    "relative to the static folder, or take it out."
                )

    # -- reading

    def _read(self, key: str, found: _Found) -> Asset | str:
        """Returns the file with its digest, or why its content speaks against it."""
        # Of a file that was read before, nobody remembers whether it has a source map inside.
        if self._digests is not None and self._settings.source_maps:
            now = found.status
            digest = self._digests.digest(found.path, now)
            if digest is not None:
                return Asset(key, found.filename, found.path, now.st_size, now.st_mtime_ns, digest)
        with open(found.path, "rb", buffering=0) as file:  # noqa: PTH123
            before = os.fstat(file.fileno())
            if before.st_size > LARGEST_OBJECT:
                return "it is larger than S3's 5 TiB an object: leave it out with FLASKS3_IGNORE."
            sha256 = hashlib.sha256()
            scanned = []
            while piece := file.read(_PIECE):
                sha256.update(piece)
                if before.st_size <= guard.SCANNED_BYTES:
                    scanned.append(piece)
            size = file.tell()
        content = b"".join(scanned)
        reason = guard.refused_content(content)
        if reason is not None and not self._is_allowed(found):
            return _secret(reason, found)
        if not self._settings.source_maps and guard.has_source_map(content):
            refusal = self._doubt(INLINE_MAP, [found])
            if refusal is not None:
                return refusal
        elif reason is None and size == before.st_size and self._digests is not None:
            self._digests.remember(found.path, before, sha256.hexdigest())
        return Asset(key, found.filename, found.path, size, before.st_mtime_ns, sha256.hexdigest())

    def _is_allowed(self, found: _Found) -> bool:
        return found.filename in self._settings.allow

    def _refuse(self, key: str, reason: str) -> None:
        self._refusals[key] = Refuse(key, reason)


def _own_names(app: Flask) -> Iterator[str]:
    """Yields what an archive of the app would be called."""
    for name in (app.name, app.import_name):
        yield from (name.lower(), name.lower().rpartition(".")[2])
    yield Path(app.root_path).name.lower()


_MEND = "make it readable, or leave it out with FLASKS3_IGNORE."


def _secret(reason: str, found: _Found) -> str:
    way = let_through(found.filename)
    return f"{reason}: move it out of the static folder or, if it may be public, {way}"


def as_seen_from_here(path: str) -> str:
    """Returns a path as people write it who work in this folder; that of another stays whole."""
    here = os.path.join(os.getcwd(), "")  # noqa: PTH109, PTH118
    return path.removeprefix(here)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a symlink to itself
        return False


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def read(asset: Asset) -> Iterator[bytes]:
    """Yields an asset's content in pieces.

    Raises:
        OSError: the file vanished or cannot be read.
    """
    with open(asset.path, "rb") as file:  # noqa: PTH123
        while piece := file.read(_PIECE):
            yield piece
