"""A bucket as it stands, the note of what set-up did → what takes exactly that away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from . import cors
from .changes import Change, Changes, Draft, listed, origins, readable, sentence, who
from .facts import POLICY_BLOCKS, Facts, Part
from .note import Grant, Note, Was
from .statements import Reader, Unmergeable, covers, granted, says_the_same, with_grant


def undone(facts: Facts, note: Note, app: str) -> Changes:
    """Returns what takes away exactly what the app's set-up added, and the note that is left."""
    if not facts.exists or app not in note.apps:
        return Changes((), note)
    undoing = _Undoing(facts, note, app)
    undoing.refuse()
    if not undoing.refusals:
        undoing.plan()
    return undoing.result()


class _Undoing(Draft):
    """Taking away what an app's set-up added."""

    def __init__(self, facts: Facts, note: Note, app: str) -> None:
        super().__init__(facts, note)
        self._app = app
        self._was = note

    def refuse(self) -> None:
        """Refuses where it could not be seen whether something is still as set-up left it."""
        was = self._was
        needed = set(was.switches)
        needed |= {Part.POLICY} if was.grants else set()
        needed |= {Part.CORS} if was.cors else set()
        self.refuse_unread(needed)

    def plan(self) -> None:
        self._undo_policy()
        if not self._was.others(self._app):
            for part, was in self._was.switches.items():
                self._switch_back(part, was)
        self._undo_cors()
        # A policy that opens the bucket is refused while public access is blocked.
        self.changes.sort(key=lambda change: not _allows_policies(change))
        left = self.note.noting(self._app, None)
        self.note = left if left.apps else Note()

    def _undo_policy(self) -> None:
        whats: list[str] = []
        for sid, grant in self._was.grants.items():
            try:
                whats += self._undo_grant(sid, grant)
            except Unmergeable as error:
                self.warnings.append(f"{sid} stays: {sentence(error)}")
        if whats:
            text = self.facts.policy_text
            if says_the_same(text, self._was.policy):
                text = self._was.policy  # to the byte
            why = "set-up added it" if text is None else "other statements stay"
            self.change(Part.POLICY, ", ".join(whats), why, text)

    def _undo_grant(self, sid: str, grant: Grant) -> list[str]:
        reader = Reader(grant.distribution_arn)
        now = granted(self.facts, reader)
        others = self._was.granted_to_others(self._app, sid)
        then = (now - grant.added) | {prefix for prefix in others if covers(now, prefix)}
        if "" in now & grant.added:  # which hid the others
            then |= grant.before
        if not self._was.others(self._app):
            then |= grant.taken
        if then == now:
            return []
        self.take_policy(with_grant(self.facts, then, reader))
        less, more = sorted(now - then), sorted(then - now)
        return [
            *([f"{who(reader)} may read {readable(less)} no longer"] if less else []),
            *([f"{who(reader)} may read {readable(more)} again"] if more else []),
        ]

    def _switch_back(self, part: Part, was: Was) -> None:
        now, before, after = (
            _compared(part, value) for value in (_value(self.facts, part), was.before, was.after)
        )
        if now == before:
            return
        if now != after:
            self.warnings.append(f"The {part.value} stays, since somebody changed it after set-up.")
            return
        self.change(part, f"{_said(part, was)} again", "set-up changed it", was.before)

    def _undo_cors(self) -> None:
        was, rules = self._was.cors, self.facts.cors
        now = cors.ours(rules)
        if was is None or cors.is_same(now, was.before):
            return
        if not cors.is_same(now, was.after):
            if now is None:  # somebody took it away already
                return
            self.warnings.append("Our CORS rule stays, since somebody changed it after set-up.")
            return
        others = frozenset().union(*(user.origins for user in self._was.others(self._app)))
        then = cors.rule(others) if others else was.before
        if cors.is_same(now, then):
            return
        self.note = replace(self.note, cors=Was(was.before, then))
        what = "our rule goes" if then is None else f"pages of {origins(then)} may read"
        rules = cors.with_rule(rules, then)
        self.change(Part.CORS, what, "set-up wrote it; other rules stay", rules)


def _allows_policies(change: Change) -> bool:
    return change.part is Part.BLOCK and not any(change.value[name] for name in POLICY_BLOCKS)


def _value(facts: Facts, part: Part) -> Any:  # noqa: ANN401
    if part is Part.OWNERSHIP:
        return facts.ownership
    return facts.block if part is Part.BLOCK else facts.encryption_rules


def _compared(part: Part, value: Any) -> object:  # noqa: ANN401
    """Returns a value without what stores fill in by themselves."""
    if part is not Part.ENCRYPTION:
        return value
    defaults = [rule.get("ApplyServerSideEncryptionByDefault", {}) for rule in value]
    return [(one.get("SSEAlgorithm"), one.get("KMSMasterKeyID")) for one in defaults]


def _said(part: Part, was: Was) -> str:
    """Returns in words what a part becomes again."""
    if part is Part.OWNERSHIP:
        return str(was.before)
    if part is Part.BLOCK:
        return ", ".join(_switched(was))
    return ", ".join(str(algorithm) for algorithm, _ in _compared(part, was.before))  # type: ignore[attr-defined]


def _switched(was: Was) -> Iterator[str]:
    """Yields the switches that turn, those that go on first."""
    differing = [name for name, is_on in was.before.items() if was.after[name] != is_on]
    for word, value in (("on", True), ("off", False)):
        if names := [name for name in differing if was.before[name] is value]:
            yield f"{listed(names)} {word}"
