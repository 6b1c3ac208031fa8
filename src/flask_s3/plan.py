"""What to do with each key, and why: a value that can be printed before anything happens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from . import headers
from .assets import Object, Refuse


@dataclass(frozen=True, slots=True)
class Known:
    """What the store holds under a key, as far as is known.

    Attributes:
        size: in bytes.
        etag: as the store gave it, without quotes.
        modified: seconds since the epoch, by the store's clock.
        sha256: of the bytes, in hexadecimal; None when unknown.
        headers: what the store gives back, by lower-case name; None when unknown.
        decoded: of an encoded variant, the SHA-256 of what it decodes to, where we know it.
    """

    size: int
    etag: str
    modified: float
    sha256: str | None
    headers: Mapping[str, str] | None
    decoded: str | None = None


@dataclass(frozen=True, slots=True)
class Put:
    """Publish an object."""

    object: Object
    reason: str

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

    def stages(self) -> tuple[Plan, Plan]:
        """Returns what is done before the release is in force, and what follows."""
        first = tuple(put for put in self.puts if not put.object.follows)
        then = tuple(put for put in self.puts if put.object.follows)
        return replace(self, puts=first), replace(self, puts=then)


def changes(
    objects: Iterable[Object], known: Mapping[str, Known], refusals: Iterable[Refuse]
) -> Plan:
    """Returns the plan that publishes what differs, in bytes or headers, from what the store holds.

    Args:
        objects: what is wanted, with distinct keys.
        known: what the store holds, by key.
        refusals: what has been ruled out; an object under such a key is left out.
    """
    refused = tuple(refusals)
    no = {refusal.key for refusal in refused}
    judged = [_judged(o, known.get(o.key)) for o in objects if o.key not in no]
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


def _judged(wanted: Object, held: Known | None) -> Put | Keep:
    if held is None:
        return Put(wanted, "new")
    if wanted.decoded is not None and wanted.decoded == held.decoded and held.headers is not None:
        # Another machine's codec may write other bytes, which decode to the same.
        return _by_headers(wanted, held.headers)
    if held.size != wanted.body.size:
        return Put(wanted, f"bytes differ: {held.size} there, {wanted.body.size} here")
    if held.sha256 is None or held.headers is None:
        return Put(wanted, "the store does not tell what it holds")
    if held.sha256 != wanted.body.sha256:
        return Put(wanted, "bytes differ")
    return _by_headers(wanted, held.headers)


def _by_headers(wanted: Object, held: Mapping[str, str]) -> Put | Keep:
    different = _different(headers.kept(wanted.headers), held)
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
        f"The app {app!r} publishes another file under this key in the same bucket: give one of "
        f"them its own FLASKS3_PREFIX, or, if both are the same app, set FLASKS3_APP = {app!r}."
    )
