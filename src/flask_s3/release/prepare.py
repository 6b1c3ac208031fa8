"""What a deploy is to do: build → look → plan. Publishes nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .. import manifest_file
from ..assets import Object
from ..building.assembly import assemble, refuse_problems, told
from ..building.collect import Selection, key_prefixes
from ..building.objects import Build
from ..building.tree import read_tree
from ..settings import Settings
from ..store.protocol import Known
from .following import known_after, left_unfinished
from .plan import Plan, changes, everything, with_bodies, without_foreign, without_sending
from .releases import Current, Releases, warnings_of
from .remote import Remote, held_by, look

if TYPE_CHECKING:
    from flask import Flask


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a caller wants of a deploy.

    Attributes:
        selection: which files.
        tree: a tree that was built before, which is published instead of the app's files.
        frozen: whether the manifest at hand has to be that of the build.
        everything: why all of it is uploaded, right or not; None: only what differs.
        verify_remote: look at what the store really holds, rather than at our record of it.
        public: see to it that anybody can read what is published.
        exclusive: give up when another release comes into force meanwhile.
        wait: return only when the CDN in front has dropped what changed.
    """

    selection: Selection = field(default_factory=Selection)
    tree: Path | None = None
    frozen: bool = False
    everything: str | None = None
    verify_remote: bool = False
    public: bool = True
    exclusive: bool = False
    wait: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan, and what is needed to carry it out.

    Attributes:
        app: whose files.
        settings: the app's.
        order: what was asked for.
        remote: the store as it was found.
        build: what the app publishes.
        objects: what is wanted: that, and what releases need beside it.
        known: what the store holds, as far as the plan had to know.
        plan: what is to be done, with a reason for each key.
        warnings: what was noticed on the way.
        started: when, in seconds of the monotonic clock.
    """

    app: Flask
    settings: Settings
    order: Order
    remote: Remote
    build: Build
    objects: tuple[Object, ...]
    known: Mapping[str, Known]
    plan: Plan
    warnings: tuple[str, ...]
    started: float


def prepare(app: Flask, settings: Settings, order: Order) -> Prepared:
    """Returns the plan for an app, made of its files and what the store holds.

    Raises:
        BuildError: the files cannot be built, or not as the order says.
        SettingsError: a setting cannot work.
        StoreError: the store does not answer, or does not let us look.
    """
    started = time.monotonic()
    settings.require_bucket()
    settings.static_keys()
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(
            look,
            settings,
            app.name,
            key_prefixes(app, settings),
            closely=order.verify_remote,
            trusting=order.everything is not None,
        )
        build = _build(app, settings, order)
        remote = looking.result()
    objects = build.objects
    if build.is_fingerprinted and remote.releases is not None:
        objects = with_bodies(objects, remote.releases.bodies)
    if remote.listed is not None or order.everything is not None:
        _look_after(build, remote)
    known = {} if order.everything is not None else held_by(remote, objects)
    known, plan = _plan(build, objects, known, remote, order.everything)
    return Prepared(
        app=app,
        settings=settings,
        order=order,
        remote=remote,
        build=build,
        objects=objects,
        known=known,
        plan=plan,
        warnings=(*build.notes, *told(build.problems), *_lost(remote, plan)),
        started=started,
    )


def again(prepared: Prepared, sent: Mapping[str, Known]) -> Prepared:
    """Returns the plan for what is left to do, once somebody else changed the bucket.

    Args:
        prepared: what was to be done.
        sent: what was written meanwhile, by key.

    Raises:
        StoreError: the store does not let us look.
    """
    remote = prepared.remote.again()
    _look_after(prepared.build, remote)
    known = held_by(remote, prepared.objects, sent)
    known, plan = _plan(prepared.build, prepared.objects, known, remote, None)
    return replace(prepared, remote=remote, known=known, plan=plan)


def _look_after(build: Build, remote: Remote) -> None:
    """Says that what others left undone is seen now, if all of the app's files are looked at."""
    if build.whole and remote.releases is not None:
        remote.releases.looks_after(remote.current)


def _plan(
    build: Build,
    objects: tuple[Object, ...],
    known: Mapping[str, Known],
    remote: Remote,
    why_everything: str | None,
) -> tuple[Mapping[str, Known], Plan]:
    """Returns the plan, and what the store holds once what was left unfinished is done."""
    first = left_unfinished(remote)
    known = known_after(known, first)
    if why_everything is not None:
        plan = everything(objects, build.refusals, why_everything)
    else:
        published = () if remote.record is None else remote.record.objects.keys()
        plan = changes(objects, known, build.refusals, published)
    if _may_be_others(plan, build):
        plan = without_foreign(plan, _foreign(remote))
    if remote.listed is not None:
        plan = without_sending(plan, {put.key for put in first})
    # What the plan overwrites at once anyway need not be finished before.
    at_once = {put.key for put in plan.puts if not put.object.follows}
    first = tuple(put for put in first if put.key not in at_once)
    return known, replace(plan, puts=(*first, *plan.puts))


def _build(app: Flask, settings: Settings, order: Order) -> Build:
    if order.tree is None:
        build = assemble(app, settings, order.selection)
    else:
        build = read_tree(order.tree, settings)
    if settings.strict:
        refuse_problems(build.problems, build.refusals)
    if order.frozen:
        manifest_file.refuse_other(app, settings, build.manifest)
    return build


def _may_be_others(plan: Plan, build: Build) -> bool:
    """Returns whether the plan writes under names that other apps may have given other bytes."""
    return any(put.object.follows or not build.is_fingerprinted for put in plan.puts)


def _foreign(remote: Remote) -> list[tuple[str, Mapping[str, Known]]]:
    return [(record.app, record.objects) for record in remote.other_records()]


def _lost(remote: Remote, plan: Plan) -> list[str]:
    if remote.releases is None:
        return [_MAY_NOT_READ]
    if remote.bucket_missing:
        return []
    warnings = [] if remote.current is None else warnings_of(remote.current, remote.store.address)
    if remote.record is not None and remote.record.restores is not None and plan.puts:
        warnings.append(_BROUGHT_BACK.format(remote.record.restores))
    if remote.record is None and _is_lost(remote.current, remote.releases):
        warnings.append(_RECORD_LOST + (_EVERYTHING if remote.listed is None else _FROM_LISTING))
    return warnings


def _is_lost(current: Current | None, releases: Releases) -> bool:
    """Returns whether there was a release in force, though there is no record of it."""
    if current is None or current.stand.state.is_damaged:
        return releases.has_older()
    return current.release is not None


_BROUGHT_BACK = "Release {} had been brought back by a rollback: a deploy replaces it."
_RECORD_LOST = "The record of what was published is lost or unreadable, so "
_FROM_LISTING = "it was made again from a listing of the bucket."
_EVERYTHING = "it is made again from this upload."
_MAY_NOT_READ = (
    "What is published is not remembered, since the credentials may not read it back: grant "
    "s3:GetObject and s3:ListBucket, so that only what changed has to be uploaded."
)
