"""A deploy under way: publish → remember → let plain names follow.

Where somebody else changed the bucket meanwhile, it looks again, plans again and does what is then
left to do, until what is in force is what is wanted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from .. import urls
from ..access.reach import check_access
from ..assets import METADATA_PREFIX, Object, Refuse
from ..building.objects import Build
from ..errors import LostRace, StoreError
from ..manifest import to_json
from ..store.protocol import Known
from .checkout import commit_of
from .following import follow, known_after
from .plan import Plan
from .pointer import ROUNDS, Overtaken
from .prepare import Prepared, again
from .publish import Progress, Published, publish
from .purging import Purging
from .records import Record
from .releases import Current, Releases, warnings_of

_WORTH_LOOKING = 8 * 1024 * 1024
"""Bytes: a deploy that sends more says so before, so that one after its death need not do it all
again. For less, listing the bucket costs more than sending it again."""
_POINTER = f"{METADATA_PREFIX}…/current"
_NOT_IN_FORCE = "it would have followed the release, which is not in force."
_OVERTAKEN = (
    "Another deploy of this app ended while this one ran, so this one looked at the bucket again."
)
_DESTROYED = "All releases of this app were destroyed while this deploy ran."
_SWEPT = "A prune of this app was under way, or had died: this deploy waited for its end."
_FOLLOWED_BY = (
    "Release {} of this app came into force right after this one, and plain names have its bytes."
)
_TOO_OFTEN = (
    f"{ROUNDS} times somebody else moved the pointer meanwhile: see who deploys, and deploy again."
)


@dataclass(frozen=True, slots=True)
class InForce:
    """What is in force after a round of publishing, and what came up when it was recorded.

    Attributes:
        release: its id; None when there is none.
        is_in_force: whether it is what was to be published.
        current: the pointer to it, where plain names have yet to follow.
        copies: its plain names.
        failures: what could not be recorded.
        cause: the store's error behind that.
    """

    release: str | None
    is_in_force: bool = True
    current: Current | None = None
    copies: Set[str] = frozenset()
    failures: tuple[Refuse, ...] = ()
    cause: StoreError | None = None


class Run:
    """A deploy under way: rounds of publishing, until what is in force is what is wanted.

    Attributes:
        prepared: what the round at hand is about.
        published: what became of everything so far.
        not_sent: what was never tried, and why.
        warnings: what came up.
    """

    def __init__(self, prepared: Prepared, progress: Progress, purging: Purging) -> None:
        self.prepared = prepared
        self._purging = purging
        self.published = Published()
        self.not_sent: list[Refuse] = []
        self.warnings: list[str] = []
        self._progress = progress
        self._readable = False
        self._in_the_way: Future[list[str] | None] | None = None

    def to_the_end(self) -> InForce:
        """Does all of it.

        Raises:
            LostRace: another release came into force, and the order says to give up then.
        """
        try:
            self._purge_after_the_dead()
            return self._rounds()
        finally:
            releases = self.prepared.remote.releases
            if releases is not None and (releases.is_noted or self._purging.unpurged):
                releases.leave_unfinished()

    def _rounds(self) -> InForce:
        for _ in range(ROUNDS):
            try:
                return self._round()
            except Overtaken:
                if self._is_over:
                    return self._left_as_it_was()
            self._look_again()
        return self._not_recorded(_TOO_OFTEN, None)

    @property
    def _is_over(self) -> bool:
        """Whether something went wrong, so that nothing more is sent."""
        return self.published.interrupted or bool(self.published.failures or self.not_sent)

    def _round(self) -> InForce:
        """Publishes what is left to do.

        Raises:
            Overtaken: somebody else moved the pointer, or deleted objects, meanwhile.
        """
        first, then = self.prepared.plan.stages()
        current = self._begin(first)
        published = self._sent(first)
        self._look_from_outside()
        try:
            outcome = self._recorded(published, then, current)
        except Overtaken:
            self._learned()
            raise
        self._learned()
        self._follow(then, outcome)
        return outcome

    def _look_again(self) -> None:
        """Plans what is left to do, once somebody else changed the bucket.

        Raises:
            LostRace: see `to_the_end`.
        """
        before = self.prepared
        self.prepared = again(before, self.published.stored)
        was, now = before.remote.current, self.prepared.remote.current
        if now is not None and now.abandoned - (frozenset() if was is None else was.abandoned):
            self._purging.everything()  # with our end, their notes go
        if now is not None and now.stand.state.swept != (was and was.stand.state.swept):
            self.warnings.append(_SWEPT)
        if (was and was.release) != (now and now.release):
            if before.order.exclusive:
                raise LostRace(_won(self.prepared.remote.record))
            self.warnings.append(_DESTROYED if now is None or now.release is None else _OVERTAKEN)

    # -- steps of a round

    def _begin(self, plan: Plan) -> Current | None:
        """Notes that somebody is at work, if dying half way would leave what nobody knows of."""
        remote = self.prepared.remote
        if remote.releases is None or not self.prepared.plan.puts:
            return remote.current
        remote.releases.watched()  # before anything is counted on that other apps may delete
        if remote.current is not None and remote.record is not None:
            overwrites = any(put.key in remote.record.objects for put in plan.puts)
            if not overwrites and plan.bytes < _WORTH_LOOKING:
                return remote.current
        return self._noted(remote.releases, remote.current)

    def _noted(self, releases: Releases, current: Current | None) -> Current:
        """Notes at the pointer that somebody is at work.

        Raises:
            Overtaken: there was no pointer when we looked, where others say what they delete, and
                objects that we count on have changed since.
        """
        noted = releases.begin(current)
        remote, kept = self.prepared.remote, self.prepared.plan.keeps
        if current is None and kept and remote.listed is not None:
            now = remote.listing()
            if any(now.get(keep.key) != remote.listed.get(keep.key) for keep in kept):
                raise Overtaken(noted.stand)
        return noted

    def _sent(self, plan: Plan) -> Published:
        published = self._publish(plan)
        self._take_in(published)
        return published

    def _take_in(self, published: Published) -> None:
        self.published.add(published)
        self.not_sent += published.not_sent()

    def _publish(self, plan: Plan) -> Published:
        prepared = self.prepared
        cached = self._overwritten(plan)
        published = publish(
            plan,
            prepared.remote.store,
            self._progress,
            public=prepared.order.public,
            concurrency=prepared.settings.concurrency,
        )
        self._purging.purge(cached - set(published.unsent))
        return published

    def _overwritten(self, plan: Plan) -> set[str]:
        """Returns the keys that a plan writes and that caches may hold with other bytes."""
        prepared = self.prepared
        never = set()
        if prepared.build.is_fingerprinted:
            never = {made.key for made in prepared.objects if not made.follows}
        puts = [put for put in plan.puts if put.key not in never]
        anyway = prepared.order.everything is not None
        return self._purging.overwritten(puts, prepared.remote, anyway=anyway)

    def _purge_after_the_dead(self) -> None:
        """Purges what others may have changed who died before they could."""
        current = self.prepared.remote.current
        if current is not None and current.unfinished:
            self._purging.everything()

    def _look_from_outside(self) -> None:
        """Starts to ask for one published object as a browser would."""
        current = self.prepared.remote.current
        if self._readable or (current is not None and current.stand.state.readable):
            return
        beside = ThreadPoolExecutor(1)
        self._in_the_way = beside.submit(_in_the_way, self.prepared, self.published)

    def _recorded(self, published: Published, then: Plan, current: Current | None) -> InForce:
        """Records the new release unless nothing changed.

        Raises:
            Overtaken: somebody else moved the pointer.
        """
        prepared, releases = self.prepared, self.prepared.remote.releases
        before = prepared.remote.record
        if prepared.build.is_fingerprinted and self._is_over:
            return self._left_as_it_was()
        objects = _objects_now(prepared, published, then)
        if releases is None or (before is None and not objects):
            return InForce(None)
        if current is not None and current.stand.state.sweep is not None:
            raise Overtaken(current.stand)
        manifest, copies = _manifest(prepared.build), _copies(prepared.objects, objects)
        try:
            if current is None or current.stand.state.is_damaged:
                current = self._noted(releases, current)
            if before is not None:
                same = _is_the_same(before, objects, manifest, copies)
                if same and not then.puts and not current.unfinished:
                    return InForce(before.id)
                if same:
                    noted = releases.begin(current) if then.puts else current
                    return InForce(before.id, current=noted, copies=copies.keys())
            commit = commit_of(prepared.app.root_path)
            record = releases.new_record(objects, manifest, copies, current, commit=commit)
            follows = bool(then.puts)
            new = objects.keys() - (before.objects.keys() if before is not None else set())
            moved = releases.publish(
                record, current, unfinished=follows, new_keys=new, learned=self._learned
            )
        except StoreError as error:
            return self._not_recorded(str(error), error)
        self.warnings += warnings_of(moved, prepared.remote.store.address)
        return InForce(record.id, current=moved if follows else None, copies=copies.keys())

    def _learned(self) -> dict[str, bool]:
        """Returns what came out about the bucket, so that the next deploy need not ask again."""
        looked, self._in_the_way = self._in_the_way, None
        in_the_way = None if looked is None else looked.result()
        if in_the_way is not None:
            self.warnings += in_the_way
            self._readable = not in_the_way
        dialect = self.prepared.remote.store.dialect
        learned = {"readable": True} if self._readable else {}
        if dialect.are_acls_disabled or "acl" in dialect.accepted:
            learned["acls"] = not dialect.are_acls_disabled
        return learned

    def _follow(self, plan: Plan, outcome: InForce) -> None:
        """Writes the plain names of the release that is in force now, and notes that they stand."""
        if not outcome.is_in_force:
            self.not_sent += [Refuse(put.key, f"Not sent: {_NOT_IN_FORCE}") for put in plan.puts]
            return
        releases, current = self.prepared.remote.releases, outcome.current
        if releases is None or current is None:
            self._sent(plan)
            return
        written = (known for key, known in self.published.stored.items() if key in outcome.copies)
        followed, now = follow(releases, current, plan, self._publish, written)
        self._take_in(followed)
        if now.release is None:
            self.warnings.append(_DESTROYED)
        elif now.release != current.release and not (followed.failures or followed.unsent):
            self.warnings.append(_FOLLOWED_BY.format(now.release))

    def _left_as_it_was(self) -> InForce:
        """Leaves the release before in force, and lets the next deploy look at what was sent."""
        remote = self.prepared.remote
        release = None if remote.record is None else remote.record.id
        if remote.releases is not None:
            remote.releases.leave_unfinished()
        return InForce(release, is_in_force=False)

    def _not_recorded(self, why: str, error: StoreError | None) -> InForce:
        record = self.prepared.remote.record
        refused = Refuse(_POINTER, f"What was published could not be recorded: {why}")
        release = None if record is None else record.id
        return InForce(release, is_in_force=False, failures=(refused,), cause=error)


def _won(record: Record | None) -> str:
    """Returns the sentence for the deploy that gives up: who won, and what to do."""
    if record is None:
        return f"{_DESTROYED} Deploy again."
    made_of = "" if record.commit is None else f" (commit {record.commit[:12]})"
    return (
        f"Another deploy of this app came first: release {record.id}{made_of}, of {record.time}, "
        "is in force, and --exclusive leaves it there. What this deploy uploaded is kept: deploy "
        "again to bring it into force."
    )


def _in_the_way(prepared: Prepared, published: Published) -> list[str] | None:
    """Returns what keeps browsers from reading what was published; None when there is no telling.

    One published object is asked for as a browser would.
    """
    store = prepared.remote.store
    settings = replace(prepared.settings, region=store.region)
    stored = [key for key in published.stored if not key.startswith(METADATA_PREFIX)]
    if not stored or not prepared.order.public or settings.cdn_domain:
        return None
    key = min(stored, key=lambda key: published.stored[key].size)
    return check_access(
        urls.base(replace(settings, prefix="")).url("/" + urls.quoted(key)),
        settings,
        store.dialect.acl_refusal,
        just_created=prepared.remote.bucket_missing,
    )


def _manifest(build: Build) -> dict[str, Any] | None:
    return to_json(build.manifest) if build.is_fingerprinted else None


def _objects_now(prepared: Prepared, published: Published, then: Plan) -> dict[str, Known]:
    """Returns what the store holds of this app after the round, by key.

    What a filter left out, was refused or never sent stands there as before; a put that failed is
    forgotten, so that the next deploy sends it again. What is found under a refused key may be
    another app's, so only what we remember of it counts. What follows is recorded as it will be.
    """
    before = prepared.remote.record
    remembered = {} if before is None else before.objects
    known = {key: held for key, held in prepared.known.items() if held.sha256 is not None}
    ours = {keep.key for keep in prepared.plan.keeps} | set(published.unsent)
    untouched = ours | {refusal.key for refusal in prepared.plan.refusals}
    if not prepared.build.whole:
        untouched |= remembered.keys() - {failure.key for failure in published.failures}
    objects = {key: remembered[key] for key in untouched & remembered.keys()}
    objects.update({key: known[key] for key in ours & known.keys()})
    wanted = {made.key for made in prepared.objects}
    objects.update({key: known for key, known in published.stored.items() if key in wanted})
    return dict(sorted(known_after(objects, then.puts).items()))


def _copies(wanted: Iterable[Object], objects: Mapping[str, Known]) -> dict[str, str]:
    """Returns which of the recorded objects are copies of which."""
    return {
        made.key: made.copy_of
        for made in wanted
        if made.copy_of is not None and _is_copy(objects.get(made.key), objects.get(made.copy_of))
    }


def _is_copy(known: Known | None, source: Known | None) -> bool:
    """Returns whether one has the other's bytes; a file that was refused is still as it was."""
    return known is not None and source is not None and known.sha256 == source.sha256


def _is_the_same(
    before: Record,
    objects: Mapping[str, Known],
    manifest: Mapping[str, Any] | None,
    copies: Mapping[str, str],
) -> bool:
    """Returns whether a record says the same; when plain names were written is not part of it."""
    if (before.manifest, before.copies) != (manifest, copies):
        return False
    if before.objects.keys() != objects.keys():
        return False
    return all(
        known == objects[key] or (key in copies and _content(known) == _content(objects[key]))
        for key, known in before.objects.items()
    )


def _content(known: Known) -> Known:
    return replace(known, etag="", modified=0.0)
