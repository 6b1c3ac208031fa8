"""Takes releases away: those that are too many and too old, or all of an app's.

A prune first says at the pointer what is going (a sweep), then deletes, then says that it is over.
Whoever wants to bring a release into force meanwhile finds the pointer moved, waits, and uploads
again what has gone. A prune that died leaves its list behind: the next one goes on with it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from ..assets import Refuse
from ..errors import ReleaseError, StoreError
from ..store.flow import ATTEMPTS, delay
from ..store.protocol import KEYS_A_DELETE, Store
from .history import Gone, Retired, refuse_lost, retired
from .pointer import ROUNDS, Overtaken, Stand, State
from .records import Record, Sweep
from .releases import Releases
from .sweeps import LEASE

_TOUCH_SECONDS = LEASE / 6
# Answers after which an object is surely still there: refused by its key, or the whole request.
_REFUSED = frozenset({200, 400, 401, 403, 405, 501})


@dataclass(frozen=True, slots=True)
class Pruning:
    """What a prune is to do.

    Attributes:
        stand: the pointer to the release in force; None when there is none.
        retired: what goes.
        sweeps: the ids of the sweeps that died, and whose work this one does.
        sizes: of the objects that go, in bytes, as far as records say.
        everything: whether the release in force goes too.
    """

    stand: Stand | None
    retired: Retired
    sweeps: tuple[str, ...]
    sizes: Mapping[str, int]
    everything: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        gone = self.retired
        return not (gone.releases or gone.keys or self.sweeps or (self.everything and self.stand))


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune did.

    Attributes:
        releases: the ids of those that are gone.
        deleted: the keys of the objects that are gone.
        bytes: how large they were.
        spared: how many objects stay since other apps in the bucket publish them too.
        failures: which keys are still there, and why.
    """

    releases: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    bytes: int = 0
    spared: int = 0
    failures: tuple[Refuse, ...] = ()


def stale(releases: Releases, *, keep: int, older_than: timedelta) -> Pruning:
    """Returns what a prune is to do. Changes nothing.

    Args:
        releases: the app's.
        keep: how many releases stay, the one in force included.
        older_than: how long a release stays after it was superseded.

    Raises:
        ReleaseError: nothing tells which release is in force.
        StoreError: the store does not let us look.
    """
    stand, records, sweeps = releases.stand(), releases.records(), releases.sweeps.all()
    in_force = None if stand is None else stand.state.release
    condemned = {id_ for sweep in sweeps for id_ in sweep.releases}
    if not records.keys() <= condemned:
        refuse_lost(records, in_force)
    now = datetime.now(timezone.utc)
    gone = retired(records, in_force, sweeps, keep=keep, older_than=older_than, now=now)
    return _pruning(stand, records, gone, sweeps)


def everything(releases: Releases) -> Pruning:
    """Returns what it takes to take all of an app's releases away, the one in force included.

    Raises:
        StoreError: the store does not let us look.
    """
    stand, records, sweeps = releases.stand(), releases.records(), releases.sweeps.all()
    keys = {key for record in records.values() for key in record.objects}
    keys |= {key for sweep in sweeps for key in sweep.keys}
    all_ = tuple(Gone(record, "all of them go") for record in records.values())
    gone = Retired(all_, (), tuple(sorted(keys)))
    return _pruning(stand, records, gone, sweeps, everything=True)


def _pruning(
    stand: Stand | None,
    records: Mapping[str, Record],
    gone: Retired,
    sweeps: Iterable[Sweep],
    *,
    everything: bool = False,
) -> Pruning:
    sizes = {key: known.size for r in records.values() for key, known in r.objects.items()}
    mine = {key: sizes[key] for key in gone.keys if key in sizes}
    return Pruning(stand, gone, tuple(sweep.id for sweep in sweeps), mine, everything)


def prune(
    releases: Releases, store: Store, look: Callable[[], Pruning], *, most: int | None = None
) -> tuple[Pruning, Pruned]:
    """Deletes what is to go; returns what that was, and what became of it.

    Args:
        releases: the app's.
        store: where.
        look: says what is to go; asked again when somebody moved the pointer meanwhile.
        most: how many objects may be deleted at the most; None: any number.

    Raises:
        ReleaseError: more than `most` would go; or another command took this one for dead, or came
            in between again and again.
        StoreError: the store does not let us look, or say what goes.
    """
    for _ in range(ROUNDS):
        releases.sweeps.wait()
        pruning = look()
        if pruning.is_empty:
            return pruning, Pruned()
        refuse_too_many(pruning, most)
        ids = tuple(gone.record.id for gone in pruning.retired.releases)
        sweep = Sweep(secrets.token_hex(8), ids, pruning.retired.keys)
        try:
            stand = releases.sweeps.begin(sweep, pruning.stand)
        except Overtaken:
            continue
        return pruning, _Sweeping(releases, store, pruning, sweep, stand).to_the_end()
    raise ReleaseError(
        f"{ROUNDS} times somebody else moved the pointer, so nothing was deleted: prune again "
        "when nobody deploys."
    )


def refuse_too_many(pruning: Pruning, most: int | None, *, dry_run: bool = False) -> None:
    """Refuses a prune that would delete more objects than were allowed.

    Args:
        pruning: what is to go.
        most: how many objects may go; None: any number.
        dry_run: whether nothing is to be deleted anyway, and what would go was shown.

    Raises:
        ReleaseError: it would.
    """
    many = len(pruning.retired.keys)
    if most is None or many <= most:
        return
    if dry_run:
        raise ReleaseError(
            f"{many:,} objects would be deleted, more than --max-delete {most:,} allows, so none "
            "would be: allow more."
        )
    raise ReleaseError(
        f"{many:,} objects would be deleted, more than --max-delete {most:,} allows, so none was: "
        "see `flask s3 prune --dry-run`, then allow more."
    )


class _Sweeping:
    """A sweep under way."""

    def __init__(
        self, releases: Releases, store: Store, pruning: Pruning, sweep: Sweep, stand: Stand
    ) -> None:
        self._releases = releases
        self._store = store
        self._pruning = pruning
        self._sweep = sweep
        self._stand = stand
        self._touched = _now()
        # What was sent for, and was not refused for certain; and whether some of it may yet happen.
        self._sent: set[str] = set()
        self._is_open = False

    def to_the_end(self) -> Pruned:
        """Deletes, and says at the pointer that it is over, whatever comes in between."""
        try:
            pruned = self._swept()
            self._end(finished=not pruned.failures)
        except Overtaken as overtaken:
            raise ReleaseError(
                "Another command took this prune for dead, since it was too slow. What it deleted "
                "is gone, the rest is noted: prune again."
            ) from overtaken
        except BaseException:
            with suppress(StoreError, Overtaken):
                self._end(finished=False)
            raise
        return pruned

    def _swept(self) -> Pruned:
        # Now that the pointer says that we sweep: a neighbour's record that is not there yet will
        # be followed by a look at our pointer.
        theirs = self._releases.keys_of_others()
        keys = [key for key in self._sweep.keys if key not in theirs]
        if self._pruning.everything:
            self._stand = self._releases.sweeps.nothing_in_force(self._stand)
        failures = self._deleted(keys)
        done = [key for key in keys if key not in failures]
        gone: tuple[str, ...] = ()
        if not failures:
            records = [self._releases.key_of_record(id_) for id_ in self._sweep.releases]
            sweeps = [self._releases.sweeps.key_of(id_) for id_ in self._pruning.sweeps]
            failures = self._deleted([*records, *sweeps])
            gone = self._sweep.releases if not failures else ()
        sizes = self._pruning.sizes
        return Pruned(
            gone,
            tuple(done),
            sum(sizes.get(key, 0) for key in done),
            len(self._sweep.keys) - len(keys),
            tuple(Refuse(key, str(error)) for key, error in failures.items()),
        )

    def _end(self, *, finished: bool) -> None:
        """Ends the sweep; what it did not come to stays noted, unless nothing can be gone."""
        if self._is_open:
            return  # a request of ours may yet be carried out: the lease ends it
        if finished or not self._sent:
            self._releases.sweeps.drop(self._sweep)
        if self._pruning.everything and finished:
            self._stand = self._releases.sweeps.touch(self._stand)
            self._releases.forget()
        else:
            stand = self._pruning.stand
            before = State() if stand is None else stand.state
            self._releases.sweeps.end(self._stand, None if self._sent else before)

    def _deleted(self, keys: Sequence[str]) -> dict[str, StoreError]:
        """Deletes objects; returns what stood in the way, by key."""
        failed: dict[str, StoreError] = {}
        for start in range(0, len(keys), KEYS_A_DELETE):
            failed |= self._batch_deleted(keys[start : start + KEYS_A_DELETE])
        return failed

    def _batch_deleted(self, keys: Sequence[str]) -> dict[str, StoreError]:
        failed: dict[str, StoreError] = {}
        for attempt in range(1, ATTEMPTS + 1):
            self._touch()
            errors = self._attempt(keys)
            failed = {key: error for key, error in failed.items() if key not in keys}
            failed.update(errors)
            keys = [key for key, error in errors.items() if error.transient]
            if not keys or attempt == ATTEMPTS:
                break
            time.sleep(delay(attempt))
        return failed

    def _attempt(self, keys: Sequence[str]) -> Mapping[str, StoreError]:
        before = frozenset(self._sent)
        self._sent |= set(keys)
        was_open, self._is_open = self._is_open, True
        errors = self._store.delete(keys)
        self._is_open = was_open or any(error.status is None for error in errors.values())
        refused = {key for key, error in errors.items() if error.status in _REFUSED}
        self._sent -= refused - before
        return errors

    def _touch(self) -> None:
        """Shows now and then that this sweep is alive.

        Raises:
            Overtaken: somebody took it for dead.
        """
        passed = (now - then for now, then in zip(_now(), self._touched, strict=True))
        if max(passed) > _TOUCH_SECONDS:
            self._stand = self._releases.sweeps.touch(self._stand)
            self._touched = _now()


def _now() -> tuple[float, float]:
    """Returns the time by two clocks: one stops while a machine sleeps, one may be set back."""
    return time.monotonic(), time.time()
