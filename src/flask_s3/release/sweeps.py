"""Objects go, which is said at the pointer first: no release comes into force that needs them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace

from ..errors import StoreError
from ..store.protocol import Store
from . import pointer
from .pointer import JSON, Overtaken, Stand, State, write_first
from .records import Sweep, sweep_from_json, sweep_to_json

LEASE = 60.0
"""Seconds after which a sweep whose pointer nobody touched counts as abandoned. Whoever sweeps
touches it far more often, and a request that deletes takes seconds at the most."""
_POLL = 0.5
_WAITING = "A prune is under way, or died: waiting for its end, for %.0f s at the most."

logger = logging.getLogger("flask_s3")


class Sweeps:
    """The sweeps of one app.

    Args:
        store: where.
        folder: the app's own.
    """

    def __init__(self, store: Store, folder: str) -> None:
        self._store = store
        self._folder = folder

    def all(self) -> list[Sweep]:
        """Returns the sweeps that are under way, or were when they died."""
        found = (self._noted(line.key) for line in self._store.list(f"{self._folder}sweeps/"))
        return [sweep for sweep in found if sweep is not None]

    def key_of(self, id_: str) -> str:
        """Returns the key of what a sweep wrote down."""
        return _key(self._folder, id_)

    def begin(self, sweep: Sweep, after: Stand | None) -> Stand:
        """Says at the pointer that objects are going, then writes down which.

        From then on nobody can bring a release into force that needs any of them: whoever tries
        finds the pointer moved.

        Args:
            sweep: what goes.
            after: the pointer, as it was read.

        Raises:
            Overtaken: somebody moved the pointer since it was read, or is sweeping.
            StoreError: one of the two could not be written.
        """
        before = State() if after is None else after.state
        if before.sweep is not None:
            raise Overtaken(after)
        stand = pointer.move(self._store, self._folder, before.changed(sweep=sweep.id), after)
        try:
            write_first(self._store, self.key_of(sweep.id), sweep_to_json(sweep))
        except StoreError:
            self.end(stand)
            raise
        return stand

    def nothing_in_force(self, stand: Stand) -> Stand:
        """Says at the pointer that the release in force goes too.

        Raises:
            Overtaken: somebody took the sweep for abandoned.
        """
        return self._moved(stand, lambda state: state.changed(release=None, fresh=True))

    def touch(self, stand: Stand) -> Stand:
        """Says at the pointer that the sweep is still under way.

        Raises:
            Overtaken: somebody took it for abandoned.
        """
        return self._moved(stand, lambda state: state.changed())

    def end(self, stand: Stand, before: State | None = None) -> Stand:
        """Says at the pointer that nothing is being deleted any more.

        Args:
            stand: the pointer, as it was when it was last moved.
            before: what the pointer said before the sweep; given where nothing is gone, so that
                what was in force is in force again.

        Raises:
            Overtaken: somebody said so before.
        """
        again = {} if before is None else {"release": before.release, "fresh": before.fresh}
        return self._moved(
            stand, lambda state: state.changed(sweep=None, swept=state.sweep, **again)
        )

    def _moved(self, stand: Stand, change: Callable[[State], State]) -> Stand:
        """Changes the pointer while the same sweep is under way, whatever else others note."""
        while True:
            try:
                return pointer.move(self._store, self._folder, change(stand.state), stand)
            except Overtaken as overtaken:
                left = overtaken.stand
                if left is None or left.state.sweep != stand.state.sweep:
                    raise
                stand = left

    def drop(self, sweep: Sweep) -> None:
        """Takes back what was written down: it is done, or nothing of it was.

        Where the credentials may not delete, what stays says that nothing goes.
        """
        key = self.key_of(sweep.id)
        if self._store.delete([key]):
            nothing = sweep_to_json(replace(sweep, releases=(), keys=()))
            self._store.write(key, nothing, JSON, None)

    # -- others wait

    def wait(self) -> None:
        """Returns once nobody deletes objects of the app; an abandoned sweep is ended.

        Raises:
            StoreError: the store does not let us look, or end it.
        """
        while (stand := self._last(self._folder)) is not None:
            ended = stand.state.changed(sweep=None, swept=stand.state.sweep)
            with suppress(Overtaken):  # alive after all, or ended by somebody else
                pointer.move(self._store, self._folder, ended, stand)
                return

    def hit(self, folder: str, before: Stand | None, keys: Collection[str]) -> bool:
        """Returns whether another app may have deleted any of the keys; waits for its sweep's end.

        Args:
            folder: the other app's own.
            before: its pointer, as it was when the keys were not yet counted on.
            keys: of ours.
        """
        now = pointer.read(self._store, folder)
        if now is None:
            return before is not None  # all of it was destroyed
        if before is not None and now.state.made != before.state.made:
            return True  # and deployed again since
        if now.state.swept != (None if before is None else before.state.swept):
            return True
        if now.state.sweep is None:
            return False
        if before is not None and before.state.sweep == now.state.sweep and before.age > LEASE:
            return False  # it was dead before we looked
        sweep = self._noted(_key(folder, now.state.sweep))
        if sweep is not None and set(keys).isdisjoint(sweep.keys):
            return False
        self._last(folder)  # its own next command ends it, should it have died
        return True

    def _last(self, folder: str) -> Stand | None:
        """Waits for the end of a sweep; returns the pointer where that one was abandoned."""
        unchanged, since, told = "", 0.0, False
        while True:
            stand = pointer.read(self._store, folder)
            if stand is None or stand.state.sweep is None:
                return None
            if stand.etag != unchanged:
                unchanged, since = stand.etag, time.monotonic() - stand.age
            if time.monotonic() - since > LEASE:
                return stand
            if not told:
                logger.warning(_WAITING, LEASE)
                told = True
            time.sleep(_POLL)

    def _noted(self, key: str) -> Sweep | None:
        fetched = self._store.get(key)
        return None if fetched is None else sweep_from_json(fetched.body)


def _key(folder: str, id_: str) -> str:
    return f"{folder}sweeps/{id_}.json"
