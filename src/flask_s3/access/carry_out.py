"""Looks at a bucket, changes it, and keeps the note of what was changed.

The note is written before the changes that it tells of, so that a set-up that dies half way can be
undone all the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

from ..errors import BucketMissing, StoreError
from ..settings import Settings
from ..store.protocol import Condition, Store
from . import note as noting
from .changes import Change, Changes, Wanted
from .control import Control
from .facts import Facts, Part
from .kinds import Access
from .note import Note
from .setup import planned
from .undo import undone

PATIENCE = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between attempts at what AWS takes a while to spread."""
_JSON = {"content-type": "application/json"}
_CERTAIN = frozenset({400, 401, 403})
_ATTEMPTS = 3


class Bucket:
    """A bucket that is set up, or whose set-up is undone.

    Args:
        control: who may read it.
        store: its objects, of which the note is one.
        sleep: waits for some seconds.
    """

    def __init__(
        self, control: Control, store: Store, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._control = control
        self._store = store
        self._sleep = sleep
        self._read = Note()
        self._etag: str | None = None

    def planned(self, wanted: Wanted) -> Changes:
        """Returns what set-up has to change.

        Raises:
            StoreError: the note of earlier set-ups cannot be read.
        """
        facts = self._control.facts()
        if wanted.access in {Access.POLICY, Access.ACL}:
            facts = replace(facts, account_block=self._control.account_block())
        return planned(facts, self._note(facts), wanted)

    def set_up(self, changes: Changes, wanted: Wanted, tell: Callable[[Change], None]) -> Changes:
        """Carries changes out; returns all that were.

        Args:
            changes: as planned.
            wanted: what they were planned for: how a new bucket really is shows when it is there.
            tell: is told of each that is done.

        Raises:
            StoreError: one was refused; the note tells of those that were carried out.
        """
        created: tuple[Change, ...] = ()
        if changes.creates:
            created = changes.changes[:1]
            _write(self._control, created[0], _BUSY, self._sleep)
            tell(created[0])
            changes = self._sure(wanted)
        self._keep(changes.note)
        self._carry_out(changes.changes, tell)
        return replace(changes, changes=created + changes.changes)

    def undone(self, app: str) -> Changes:
        """Returns what takes away what an app's set-up added.

        Raises:
            StoreError: the note cannot be read.
        """
        facts = self._control.facts()
        return undone(facts, self._note(facts), app)

    def undo(self, changes: Changes, tell: Callable[[Change], None]) -> None:
        """Carries an undoing out, then forgets it.

        Raises:
            StoreError: something was refused; the note still tells of all of it.
        """
        self._carry_out(changes.changes, tell)
        self._keep(changes.note)

    def _sure(self, wanted: Wanted) -> Changes:
        changes = self.planned(wanted)
        if changes.refusals:
            raise StoreError(
                changes.refusals[0], code="Refused", status=None, operation="PutBucketPolicy"
            )
        return changes

    # -- changing

    def _carry_out(self, changes: tuple[Change, ...], tell: Callable[[Change], None]) -> None:
        again = _BUSY
        for change in changes:
            again = _write(self._control, change, again, self._sleep)
            tell(change)

    # -- the note

    def _note(self, facts: Facts) -> Note:
        self._read, self._etag = Note(), None
        with suppress(BucketMissing):
            fetched = self._store.get(noting.KEY) if facts.exists else None
            if fetched is not None:
                self._etag = fetched.etag
                self._read = noting.loads(fetched.body, facts.bucket)
        return self._read

    def _keep(self, note: Note) -> None:
        """Makes the note what it is to be, where nobody changed it since it was read.

        Raises:
            StoreError: somebody did, or it cannot be written.
        """
        if note == self._read:
            return
        if note.is_empty:
            self._forget()
        else:
            self._write_note(noting.dumps(note))

    def _forget(self) -> None:
        there = self._store.get(noting.KEY)
        if there is not None and there.etag != self._etag:
            raise _overtaken(self._control.bucket)
        for error in self._store.delete([noting.KEY]).values():
            raise error

    def _write_note(self, data: bytes) -> None:
        condition: Condition | None = Condition(self._etag)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._etag = self._store.write(noting.KEY, data, _JSON, condition).etag
            except StoreError as error:
                if error.status in _CERTAIN or attempt == _ATTEMPTS:
                    raise
                there = self._store.get(noting.KEY)
                if there is not None and there.body == data:
                    return  # ours: the answer was lost on its way
                if (None if there is None else there.etag) != self._etag:
                    raise _overtaken(self._control.bucket) from error
                # Ceph RGW 16 finds no If-Match to match; others know no conditions.
                if error.status == 501 or (error.status == 412 and attempt > 1):
                    condition = None
            else:
                return


# What passes (Amazon S3 API Reference, "Error responses"): a bucket is being created, or is not
# known everywhere yet. After Block Public Access was lifted, so does the refusal of a policy.
_BUSY = frozenset({"OperationAborted", "NoSuchBucket", "SlowDown", "ServiceUnavailable"})


def _write(
    control: Control,
    change: Change,
    again: frozenset[str],
    sleep: Callable[[float], None] = time.sleep,
) -> frozenset[str]:
    """Writes one change; while the store refuses it with one of some codes, once more.

    Returns:
        The codes with which the changes after it may be refused for a while.
    """
    for seconds in (*PATIENCE, None):
        try:
            control.write(change.part, change.value)
            break
        except StoreError as error:
            if seconds is None or error.code not in again:
                raise
            sleep(seconds)
    return again | {"AccessDenied"} if change.part is Part.BLOCK else again


def _overtaken(bucket: str) -> StoreError:
    return StoreError(
        f"Somebody else set up bucket {bucket!r} meanwhile, so nothing more was changed: run it "
        "again.",
        code="Overtaken",
        status=412,
        operation="PutObject",
    )


def create(
    settings: Settings, region: str, key_prefixes: tuple[str, ...], *, public: bool
) -> list[str]:
    """Creates the bucket for a deploy and, when `public`, sets it up as `flask s3 setup` does.

    Args:
        settings: the bucket's name, endpoint and credentials.
        region: where it will live.
        key_prefixes: of the static routes, such as `static/`; an empty one is the whole bucket but
            for our own records.
        public: False leaves the bucket private.

    Returns:
        What could not be set, a sentence each.

    Raises:
        StoreError: the bucket could not be created.
    """
    control = Control(settings, region)
    control.write(Part.BUCKET, None)
    if not public:
        return []
    facts = replace(control.facts_of_new(), account_block=control.account_block())
    access = Access.ACL if facts.has_acls else Access.POLICY
    if settings.cloudfront_distribution is not None:
        access = Access.NONE
    changes = planned(facts, Note(), Wanted("", access, key_prefixes, settings.cors_origins))
    return [
        *_failures(control, changes),
        *changes.refusals,
        *([_PRIVATE] if settings.cloudfront_distribution is not None else []),
    ]


def _failures(control: Control, changes: Changes) -> Iterator[str]:
    """Carries out what can be; yields what could not."""
    again = _BUSY
    for change in changes.changes:
        try:
            again = _write(control, change, again)
        except StoreError as error:
            yield (
                f"Bucket {control.bucket!r} was created, but its {change.part.value} could not be "
                f"set: {error} Then run flask s3 setup."
            )


_PRIVATE = (
    "The new bucket is private, since FLASKS3_CLOUDFRONT_DISTRIBUTION is set: flask s3 setup lets "
    "the distribution read it."
)
