"""The releases of an app, remembered in the bucket itself.

    .flask-s3/<owner>/releases/<id>.json   one immutable record a release
    .flask-s3/<owner>/sweeps/<id>.json     what a prune is taking away, or was when it died
    .flask-s3/<owner>/bodies/<sha256>      the bytes of documents, whose names do not tell them
    .flask-s3/<owner>/current              the pointer: which release is in force

`<owner>` is made of the app's name and the prefix, so that apps which share a bucket keep apart.
Whoever writes or deletes objects moves the pointer, before or afterwards: whoever wants to move it
and finds it moved looks again at what is there, and does again what is missing.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from ..assets import METADATA_PREFIX
from ..errors import StoreError
from ..store.protocol import Fetched, Known, Reads, Store
from . import pointer
from .pointer import Overtaken, Stand, State, write_first
from .records import Record, folder_of, record_from_bytes, record_to_bytes
from .sweeps import Sweeps

_READS_IN_FLIGHT = 8
_LONGEST_DEPLOY = 3600.0
"""Seconds. A deploy that was noted as unfinished may be alive, and slow, for so long: until then
the others look at what is really there."""


@dataclass(frozen=True, slots=True)
class Current:
    """The release in force.

    Attributes:
        stand: the pointer to it.
        record: what is remembered of it; None when that is lost or cannot be read.
    """

    stand: Stand
    record: Record | None

    @property
    def release(self) -> str | None:
        """Its id; None when the pointer names none."""
        return self.stand.state.release

    @property
    def unfinished(self) -> bool:
        """Whether somebody began to overwrite objects, and did not say that they are right now."""
        return bool(self.stand.state.unfinished)

    @property
    def abandoned(self) -> frozenset[str]:
        """The notes of those who ended before all was done, and told so."""
        return frozenset(t for t in self.stand.state.unfinished if t.startswith(_DEAD))


class Released:
    """The releases of one app under one prefix, to be read.

    Args:
        store: where they are.
        app: whose (`FLASKS3_APP`).
        prefix: `FLASKS3_PREFIX`, without slashes around it.
    """

    def __init__(self, store: Reads, app: str, prefix: str) -> None:
        self._reads = store
        self._app = app
        self._prefix = prefix
        self.folder = folder_of(app, prefix)
        self.bodies = f"{self.folder}bodies/"

    def current(self) -> Current | None:
        """Returns the release in force, None before the first.

        Raises:
            StoreError: the store does not let us look.
        """
        stand = self.stand()
        return None if stand is None else self._to(stand, self.folder)

    def stand(self) -> Stand | None:
        """Returns the pointer to the release in force, without the record; None before the first.

        Raises:
            StoreError: the store does not let us look.
        """
        return pointer.read(self._reads, self.folder)

    def release(self, id_: str) -> Record | None:
        """Returns a release, None when there is none of that id, or it cannot be read.

        Raises:
            StoreError: the store does not let us look.
        """
        return self._record(self.folder, id_)

    def _to(self, stand: Stand, folder: str) -> Current:
        state = stand.state
        record = None if state.release is None else self._record(folder, state.release)
        if record is not None and state.modified:
            record = record.settled(state.modified)
        return Current(stand, record)

    def _record(self, folder: str, id_: str) -> Record | None:
        fetched = self._reads.get(_record_key(folder, id_))
        return None if fetched is None else record_from_bytes(fetched.body)


class Releases(Released):
    """The releases of one app under one prefix, to be read and written."""

    def __init__(self, store: Store, app: str, prefix: str) -> None:
        super().__init__(store, app, prefix)
        self._store = store
        self._token = f"{int(time.time())}-{secrets.token_hex(4)}"
        self._looked_after: tuple[str, ...] = ()
        self.is_noted = False
        self._has_older: bool | None = None
        self._obeys: Callable[[], bool | None] | None = None
        self._watched: dict[str, Stand | None] | None = None
        self.sweeps = Sweeps(store, self.folder)

    def fetch(self, key: str) -> bytes:
        """Returns the bytes of an object that a release holds.

        Raises:
            StoreError: it is not there, or cannot be read.
        """
        fetched = self._store.get(key)
        if fetched is None:
            text = f"{key} is gone from the bucket: publish again with --verify-remote."
            raise StoreError(text, code="NoSuchKey", status=404, operation="GetObject")
        return fetched.body

    # -- reading more than one

    def records(self) -> dict[str, Record]:
        """Returns every release of which there is a record, in force or not, by id.

        Raises:
            StoreError: the store does not let us look, or a record cannot be read.
        """
        return self._records(self.folder)

    def kept(self) -> dict[str, Record]:
        """Returns the same but for those that a prune is taking away, or was when it died."""
        condemned = {id_ for sweep in self.sweeps.all() for id_ in sweep.releases}
        return {id_: r for id_, r in self.records().items() if id_ not in condemned}

    def newest(self) -> str | None:
        """Returns the id of the newest release of which there is a record: ids sort by time."""
        folder = f"{self.folder}releases/"
        ids = [line.key[len(folder) : -len(".json")] for line in self._store.list(folder)]
        return max(ids, default=None)

    def has_older(self) -> bool:
        """Returns whether there was a record of any release when that was first asked.

        Raises:
            StoreError: the store does not let us look.
        """
        if self._has_older is None:
            self._has_older = self.newest() is not None
        return self._has_older

    def others(self) -> Iterator[Record]:
        """Yields the releases in force of the other apps in the bucket."""
        for folder, stand in self.watched().items():
            record = None if stand is None else self._to(stand, folder).record
            if record is not None:
                yield record

    def keys_of_others(self) -> set[str]:
        """Returns the keys in all records of the other apps in the bucket, of this moment.

        Raises:
            StoreError: the store does not let us look, or a record cannot be read.
        """
        records = (self._records(folder) for folder in self._look_for_others())
        return {key for some in records for record in some.values() for key in record.objects}

    def watched(self) -> Mapping[str, Stand | None]:
        """Returns other apps' pointers, by folder, as they were first looked at."""
        if self._watched is None:
            self.watch_others()
        return self._watched or {}

    def watch_others(self) -> None:
        """Looks at other apps' pointers, before objects are counted on that they may delete."""
        self._watched = {
            folder: pointer.read(self._reads, folder) for folder in self._look_for_others()
        }

    def _look_for_others(self) -> list[str]:
        folders = (METADATA_PREFIX + name for name in self._store.folders(METADATA_PREFIX))
        return [folder for folder in folders if folder != self.folder]

    def _records(self, folder: str) -> dict[str, Record]:
        """Returns all records in a folder; one that cannot be read may need any object."""
        keys = [line.key for line in self._store.list(f"{folder}releases/")]
        records = {}
        for key, fetched in zip(keys, self._fetched(keys), strict=True):
            record = None if fetched is None else record_from_bytes(fetched.body)
            if record is not None:
                records[record.id] = record
            elif fetched is not None:
                raise _unreadable(key)
        return records

    def _fetched(self, keys: Sequence[str]) -> list[Fetched | None]:
        with ThreadPoolExecutor(_READS_IN_FLIGHT) as pool:
            return list(pool.map(self._store.get, keys))

    # -- a release comes into force

    def new_record(
        self,
        objects: Mapping[str, Known],
        manifest: Mapping[str, Any] | None,
        copies: Mapping[str, str],
        after: Current,
        *,
        restores: str | None = None,
        commit: str | None = None,
    ) -> Record:
        """Returns a record of this moment, with an id that no other has.

        Where nothing tells which release was in force, it comes after the newest of which there is
        a record: no prune may take the old ones for releases that were never in force.

        Raises:
            StoreError: the store does not let us look.
        """
        now = datetime.now(timezone.utc)
        before = after.release
        if before is None and not after.stand.state.fresh:
            before = self.newest()
        return Record(
            id=f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}",
            time=now.isoformat(timespec="seconds"),
            app=self._app,
            prefix=self._prefix,
            objects=objects,
            manifest=manifest,
            copies=copies,
            after=before,
            restores=restores,
            commit=commit,
        )

    def begin(self, current: Current | None) -> Current:
        """Notes at the pointer that somebody is at work whose objects no record holds yet.

        Should that one die half way, the next one sees it and looks at what is really there.

        Args:
            current: the release in force; None before the first, when the pointer is made.

        Raises:
            Overtaken: another release came into force, or objects are being deleted.
            StoreError: the note could not be written.
        """
        self.is_noted = True
        if current is None or current.stand.state.is_damaged:
            fresh = not self.has_older()
            made = State(unfinished=(self._token,), fresh=fresh, conditions=None)
            stand = self._moved(made, None if current is None else current.stand)
            current = Current(stand, None)
        while self._token not in (state := current.stand.state).unfinished:
            noted = state.changed(unfinished=(*state.unfinished, self._token))
            try:
                current = replace(current, stand=self._moved(noted, current.stand))
            except Overtaken as overtaken:
                current = replace(current, stand=_same_release(overtaken, current.stand))
        if current.stand.state.conditions is None and self._obeys is None:
            self._obeys = pointer.probe(self._store, self.folder, current.stand.state)
        return current

    def publish(
        self,
        record: Record,
        after: Current,
        *,
        unfinished: bool,
        new_keys: Collection[str] = (),
        learned: Callable[[], Mapping[str, bool]] = dict,
    ) -> Current:
        """Writes the record, then moves the pointer to it.

        Other apps spare what they find in our record. What one of them may have deleted before
        that is uploaded again before the release is in force.

        Args:
            record: the release.
            after: the release in force, as it was read.
            unfinished: whether plain names have yet to follow; `finish` says that they did.
            new_keys: of objects that no record of ours held before.
            learned: tells what `State` says of the bucket, where that is known by then.

        Raises:
            Overtaken: somebody moved the pointer since, or other apps may have deleted new objects.
            StoreError: one of the two could not be written.
        """
        key = self.key_of_record(record.id)
        write_first(self._store, key, record_to_bytes(record), pointer.GZIPPED)
        if new_keys and self.swept_by_others(new_keys):
            self._store.delete([key])
            self.watch_others()
            raise Overtaken(after.stand)
        before = after.stand.state
        self.is_noted = self.is_noted or unfinished
        own = (self._token,) if unfinished else ()
        state = before.changed(
            release=record.id,
            unfinished=(*self._others_in(before), *own),
            modified=0.0,
            fresh=False,
            **learned(),
        )
        try:
            moved = self._moved(state, after.stand)
        except Overtaken as overtaken:
            left = overtaken.stand
            if left is None or left.state.release != record.id:
                self._withdraw(record, left)
                raise
            moved = left  # ours, with somebody's note by now
        self.is_noted = unfinished
        return Current(moved, record)

    def _withdraw(self, record: Record, left: Stand | None) -> None:
        """Deletes a record that never came into force, since nothing keeps its objects.

        Where the answer was lost it may have been in force for a moment: then a later one names it,
        or all of them were destroyed.
        """
        release = None if left is None else left.state.release
        with suppress(StoreError):
            while release not in {None, record.after, record.id}:
                later = self.release(str(release))
                release = None if later is None else later.after
            if left is None or (release is not None and release == record.after):
                self._store.delete([self.key_of_record(record.id)])

    def _others_in(self, state: State) -> tuple[str, ...]:
        """Returns who else is noted as unfinished, but for the dead whose work was looked after."""
        oldest = time.time() - _LONGEST_DEPLOY
        done = {token for token in self._looked_after if _noted_at(token) < oldest}
        return tuple(t for t in state.unfinished if t not in {*done, self._token})

    def looks_after(self, current: Current | None) -> None:
        """Says that what is really there is looked at now, whoever did not come to an end."""
        self._looked_after = () if current is None else current.stand.state.unfinished

    def finish(self, current: Current, modified: float | None) -> Current:
        """Notes at the pointer that the release's plain names stand as its record says.

        Args:
            current: the release that they follow.
            modified: when the last of them was written, by the store's clock; None when none was.

        Returns:
            The release in force: where it is another one, its plain names may have been overwritten
            by ours, so it is noted as unfinished, and they have to follow that one. Its release is
            None where all were destroyed.

        Raises:
            StoreError: the note could not be written.
        """
        while True:
            state = current.stand.state
            unfinished = self._others_in(state)
            if unfinished == state.unfinished and modified is None:
                self.is_noted = False
                return current
            ended = state.changed(unfinished=unfinished, modified=modified or state.modified)
            try:
                current = replace(current, stand=self._moved(ended, current.stand))
            except Overtaken as overtaken:
                left = overtaken.stand
                if left is None or left.state.release != current.release:
                    return self._note_again() or Current(Stand(State(), ""), None)
                current = replace(current, stand=left)
            else:
                self.is_noted = False
                return current

    def _note_again(self) -> Current | None:
        """Notes at the pointer, whatever it says, that we are at work still."""
        while True:
            current = self.current()
            try:
                return None if current is None else self.begin(current)
            except Overtaken:
                continue

    def leave_unfinished(self) -> None:
        """Notes at the pointer, whatever it says, that we ended before all was done.

        Unlike the note of somebody who died, it need not stay once the bucket was looked at. Where
        the store does not take it, the note of the beginning is there, or the next deploy sends
        once more what this one sent.
        """
        note, self.is_noted = _DEAD + self._token, False
        with suppress(StoreError):
            stand = self.stand()
            while stand is not None and note not in stand.state.unfinished:
                unfinished = (*(t for t in stand.state.unfinished if t != self._token), note)
                try:
                    stand = self._moved(stand.state.changed(unfinished=unfinished), stand)
                except Overtaken as overtaken:
                    stand = overtaken.stand

    def _moved(self, state: State, after: Stand | None) -> Stand:
        # Asked once: to ask again is to write what was read a while ago.
        if self._obeys is not None and after is not None and after.state.conditions is None:
            obeys = self._obeys()
            state = state.changed(conditions=obeys)
            after = replace(after, state=replace(after.state, conditions=obeys))
        return pointer.move(self._store, self.folder, state, after)

    # -- objects go

    def settled(self) -> Current | None:
        """Returns the release in force, once nobody deletes objects; an abandoned sweep is ended.

        Raises:
            StoreError: the store does not let us look.
        """
        self._has_older = None
        while True:
            self.sweeps.wait()
            current = self.current()
            if current is None or current.stand.state.sweep is None:
                return current  # else a sweep began since

    def swept_by_others(self, keys: Collection[str]) -> bool:
        """Returns whether other apps may have deleted any of the keys since they were watched.

        To be asked once a record holds the keys. A prune spares what other apps' records hold at
        the time when it has said that it sweeps: so either it saw our record, or we see that it
        sweeps, or did. Waits for one that is under way.
        """
        hits = [self.sweeps.hit(folder, before, keys) for folder, before in self.watched().items()]
        return any(hits)

    def forget(self) -> None:
        """Deletes the pointer, since the app has no release any more.

        Raises:
            StoreError: it could not be deleted.
        """
        for error in self._store.delete([pointer.key_of(self.folder)]).values():
            raise error

    def key_of_record(self, id_: str) -> str:
        """Returns the key of a release's record."""
        return _record_key(self.folder, id_)


# Before a token: whose it is has ended.
_DEAD = "0-"


def _record_key(folder: str, id_: str) -> str:
    return f"{folder}releases/{id_}.json"


def _noted_at(token: str) -> float:
    """Returns when a deploy began that is noted as unfinished, in seconds since the epoch."""
    begun, _, _ = token.partition("-")
    return float(begun) if begun.isdecimal() else 0.0


def _unreadable(key: str) -> StoreError:
    text = (
        f"{key} cannot be read: it is damaged, or a newer Flask-S3 wrote it. Upgrade; or, when no "
        "app needs that release any more, delete it by hand."
    )
    return StoreError(text, code="UnreadableRecord", status=None, operation="GetObject")


def _same_release(overtaken: Overtaken, before: Stand) -> Stand:
    """Returns the pointer as it is now, where others only noted that they began.

    Raises:
        Overtaken: it is more than that. Where one ended, its plain names were written since.
    """
    stand = overtaken.stand
    if stand is None:
        raise overtaken
    then, now = before.state, stand.state
    if (then.release, then.sweep, then.swept) != (now.release, now.sweep, now.swept):
        raise overtaken
    if not set(then.unfinished) <= set(now.unfinished):
        raise overtaken
    return stand


def warnings_of(current: Current, address: str) -> list[str]:
    """Returns what the pointer tells of the store that people have to know.

    Args:
        current: the release in force.
        address: of the store.
    """
    is_obeyed = current.stand.state.conditions is not False
    return [] if is_obeyed else [_NO_CONDITIONS.format(address)]


_NO_CONDITIONS = (
    "The store at {} does not obey conditional writes (If-Match, If-None-Match): two deploys, or "
    "a deploy and a prune, at the same time can undo each other's work: let only one run at a time."
)
