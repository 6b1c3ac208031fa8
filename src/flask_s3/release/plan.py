"""What to do with each key, and why: a value that can be printed before anything happens."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace

from .. import headers
from ..assets import METADATA_PREFIX, Object, Refuse
from ..store.protocol import LARGEST_COPY, Known


@dataclass(frozen=True, slots=True)
class Put:
    """Publish an object; `only_headers`: its bytes are there, as far as is known."""

    object: Object
    reason: str
    only_headers: bool = False

    @property
    def key(self) -> str:
        """The object's key."""
        return self.object.key


@dataclass(frozen=True, slots=True)
class Keep:
    """Leave an object as it is."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The actions of one run, each with its reason."""

    puts: tuple[Put, ...]
    keeps: tuple[Keep, ...]
    refusals: tuple[Refuse, ...]

    @property
    def bytes(self) -> int:
        """How many bytes the puts send; what the store copies is not sent."""
        return sum(put.object.body.size for put in self.puts if put.object.copy_of is None)

    @property
    def copies(self) -> frozenset[str]:
        """The keys that the store copies; not those whose bytes are sent under a name of ours."""
        sent = {put.key for put in self.puts if put.object.copy_of is None}
        ours = {key for key in sent if key.startswith(METADATA_PREFIX)}
        sources = {put.key: put.object.copy_of for put in self.puts if put.key not in sent}
        return frozenset(key for key, source in sources.items() if source not in ours)

    def stages(self) -> tuple[Plan, Plan]:
        """Returns what is done before the release is in force, and what follows."""
        first = tuple(put for put in self.puts if not put.object.follows)
        then = tuple(put for put in self.puts if put.object.follows)
        return replace(self, puts=first), replace(self, puts=then)


# Nobody reads these through a cache; said in full, since stores add a type of their own.
_PRIVATE = {"cache-control": "no-store", "content-type": "application/octet-stream"}


def with_bodies(objects: Iterable[Object], folder: str) -> tuple[Object, ...]:
    """Returns the objects, with the bytes of documents once more under a name that tells them.

    A document's name stays while its bytes change; so that a release can be brought back, or
    finished by somebody else, each release's are kept, and the document is a copy of them.

    Args:
        objects: what is wanted, with distinct keys.
        folder: our own, where the bytes are kept.
    """
    wanted: dict[str, Object] = {}
    for made in objects:
        wanted[made.key] = made
        if made.follows and made.copy_of is None and made.body.size <= LARGEST_COPY:
            kept = f"{folder}{made.body.sha256}"
            wanted[made.key] = replace(made, copy_of=kept)
            wanted.setdefault(kept, Object(kept, made.body, _PRIVATE))
    return tuple(wanted.values())


def changes(
    objects: Iterable[Object],
    known: Mapping[str, Known],
    refusals: Iterable[Refuse],
    published: Container[str] = (),
) -> Plan:
    """Returns the plan that publishes what differs, in bytes or headers, from what the store holds.

    Args:
        objects: what is wanted, with distinct keys.
        known: what the store holds, by key.
        refusals: what has been ruled out; an object under such a key is left out.
        published: keys that the release in force holds: what is not there was deleted.
    """
    refused = tuple(refusals)
    no = {refusal.key for refusal in refused}
    judged = [_judged(o, known.get(o.key), published) for o in objects if o.key not in no]
    return Plan(
        tuple(action for action in judged if isinstance(action, Put)),
        tuple(action for action in judged if isinstance(action, Keep)),
        refused,
    )


def everything(objects: Iterable[Object], refusals: Iterable[Refuse], reason: str) -> Plan:
    """Returns the plan that publishes each object whatever the store holds.

    Args:
        objects: what is wanted, with distinct keys.
        refusals: what has been ruled out.
        reason: who asked for it.
    """
    refused = tuple(refusals)
    no = {refusal.key for refusal in refused}
    return Plan(tuple(Put(o, reason) for o in objects if o.key not in no), (), refused)


def without_sending(plan: Plan, unless: Container[str]) -> Plan:
    """Returns the plan in which what lacks only headers is copied onto itself.

    Args:
        plan: made of a listing, so that what it takes to be there is there.
        unless: keys of which it only takes what will be there.
    """

    def copied(put: Put) -> Put:
        is_there = put.only_headers and put.key not in unless
        if not is_there or put.object.copy_of or put.object.body.size > LARGEST_COPY:
            return put
        return replace(put, object=replace(put.object, copy_of=put.key))

    return replace(plan, puts=tuple(map(copied, plan.puts)))


def unfinished(
    objects: Iterable[Object], known: Mapping[str, Known], release: str
) -> tuple[Put, ...]:
    """Returns what a release in force lacks, to be done before another one is in force.

    Until then its plain names may have the bytes of the release before it, which would be two
    releases old once another is in force.

    Args:
        objects: what is to stand while the release is in force.
        known: what the store holds, by key; what is not there, or was changed, is not copied.
        release: its id.
    """
    following = [m for m in objects if m.follows and _may_be_copied(m, known.get(m.copy_of or ""))]
    return tuple(
        Put(replace(put.object, follows=False), f"left unfinished by release {release}")
        for put in changes(following, known, ()).puts
    )


def _may_be_copied(wanted: Object, source: Known | None) -> bool:
    if source is None:
        return False
    if wanted.decoded is not None and wanted.decoded == source.decoded:
        return True
    digest = source.sha256 or wanted.body.sha256  # not every store tells
    return (source.size, digest) == (wanted.body.size, wanted.body.sha256)


def _judged(wanted: Object, held: Known | None, published: Container[str] = ()) -> Put | Keep:
    if held is None:
        return Put(wanted, "gone from the bucket" if wanted.key in published else "new")
    if wanted.decoded is not None and wanted.decoded == held.decoded and held.headers is not None:
        # Another machine's codec may write other bytes, which decode to the same.
        return _by_headers(wanted, held.headers)
    if held.size != wanted.body.size:
        return Put(wanted, f"bytes differ: {held.size} there, {wanted.body.size} here")
    if held.sha256 is None or held.headers is None:
        return Put(wanted, "its bytes cannot be told from here")
    if held.sha256 != wanted.body.sha256:
        return Put(wanted, "bytes differ")
    action = _by_headers(wanted, held.headers)
    return replace(action, only_headers=True) if isinstance(action, Put) else action


def _by_headers(wanted: Object, held: Mapping[str, str]) -> Put | Keep:
    if wanted.headers == held:  # nearly always; the longer way takes 3 µs an object
        return Keep(wanted.key, "the same")
    different = _different(headers.kept(wanted.headers), headers.kept(held))
    return (
        Put(wanted, f"headers differ: {different}") if different else Keep(wanted.key, "the same")
    )


def _different(wanted: Mapping[str, str], held: Mapping[str, str]) -> str:
    names = sorted(name for name in {*wanted, *held} if wanted.get(name) != held.get(name))
    return ", ".join(f"{n} {held.get(n, 'unset')!r} -> {wanted.get(n, 'unset')!r}" for n in names)


def without_foreign(plan: Plan, others: Iterable[tuple[str, Mapping[str, Known]]]) -> Plan:
    """Returns the plan with refusals for what would overwrite another app's different object.

    Args:
        plan: what is to be done.
        others: each app in the bucket and what it published, by key; once for each of its prefixes.
    """
    puts = {put.key: put for put in plan.puts}
    refusals = list(plan.refusals)
    for app, objects in others:
        for key in puts.keys() & objects.keys():
            if not _is_equal(puts[key].object, objects[key]):
                refusals.append(Refuse(key, _belongs_to(app)))
                del puts[key]
    return Plan(tuple(puts.values()), plan.keeps, tuple(refusals))


def _is_equal(wanted: Object, held: Known) -> bool:
    return isinstance(_judged(wanted, held), Keep)


def _belongs_to(app: str) -> str:
    return (
        f"The app {app!r} publishes another file, or other headers, under this key in the same "
        "bucket: give one of them its own FLASKS3_PREFIX, or, if both are the same app, set "
        f"FLASKS3_APP = {app!r}."
    )
