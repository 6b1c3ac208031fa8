"""A bucket as it stands, the access that is wanted → what to change, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from . import cors
from .changes import Changes, Draft, Wanted, listed, origins, readable, sentence, who
from .facts import (
    ACL_BLOCKS,
    CLOSED,
    OWNER_ENFORCED,
    POLICY_BLOCKS,
    SSE_S3,
    Facts,
    Part,
    new_bucket,
)
from .kinds import Access
from .note import Grant, Note, User, Was
from .statements import (
    ANYBODY,
    Reader,
    Unmergeable,
    covers,
    granted,
    open_to_anybody,
    refuse_ungrantable,
    with_grant,
)

_ACLS_ENABLED = "BucketOwnerPreferred"
_NEEDED = {
    Access.POLICY: {Part.BLOCK, Part.POLICY},
    Access.ACL: {Part.BLOCK, Part.OWNERSHIP},
    Access.CLOUDFRONT: {Part.BLOCK, Part.POLICY},
    Access.NONE: set(),
}


def planned(facts: Facts, note: Note, wanted: Wanted) -> Changes:
    """Returns what set-up has to change, and the note to write before it does."""
    planning = _Planning(facts, note, wanted)
    if not facts.exists:
        planning.create()
    planning.refuse()
    if not planning.refusals:
        planning.plan()
    return planning.result()


class _Planning(Draft):
    """Setting up."""

    def __init__(self, facts: Facts, note: Note, wanted: Wanted) -> None:
        super().__init__(facts, note)
        self._wanted = wanted
        self._access = wanted.access

    def create(self) -> None:
        facts = self.facts
        self.change(Part.BUCKET, f"is created in {facts.region}", "there is none", None)
        self.facts = replace(
            new_bucket(facts.bucket, facts.region), account_block=facts.account_block
        )

    def refuse(self) -> None:
        needed = {Part.BUCKET, Part.CORS} | _NEEDED[self._access]
        if self._wanted.sse_s3:
            needed.add(Part.ENCRYPTION)
        self.refuse_unread(needed)
        if Part.POLICY in self.facts.unknown and Part.POLICY in needed:
            self.refusals.append(
                "This store knows no bucket policies: let browsers in the way its own "
                "documentation says, and run flask s3 setup --access none."
            )

    def plan(self) -> None:
        self._refuse_the_account_s_block()
        try:
            if self._access is not Access.NONE:
                refuse_ungrantable(self._wanted.prefixes)
            self._open()
        except Unmergeable as error:
            self.refusals.append(sentence(error))
        self._allow_origins()
        self._decide_encryption()
        self._note_the_app()

    def _open(self) -> None:
        if self._access is Access.ACL:
            self._enable_acls()
            self._set_block(ACL_BLOCKS, "off", "public ACLs do nothing while they are on")
            if self.changes:
                self.warnings.append(_AFTER_ACL)
        elif self._access is Access.POLICY:
            self._set_block(POLICY_BLOCKS, "off", "no policy opens a bucket while they are on")
            self._change_policy()
        elif self._access is Access.CLOUDFRONT:
            self._change_policy()
            self._close()
        else:
            self._say_what_is_open()

    def _refuse_the_account_s_block(self) -> None:
        names = {Access.POLICY: POLICY_BLOCKS, Access.ACL: ACL_BLOCKS}.get(self._access, ())
        block = self.facts.account_block or {}
        if on := [name for name in names if block.get(name)]:
            self.refusals.append(
                f"The account's own Block Public Access has {listed(on)} on, which set-up never "
                "changes, so nothing in the bucket can be public: publish through CloudFront "
                "(flask s3 setup --access cloudfront), or have it lifted by who answers for the "
                "account."
            )

    # -- who may read

    def _enable_acls(self) -> None:
        if self.facts.ownership == OWNER_ENFORCED:
            self._switch(
                Part.OWNERSHIP,
                OWNER_ENFORCED,
                _ACLS_ENABLED,
                f"{_ACLS_ENABLED}, which enables ACLs",
                f"with {OWNER_ENFORCED} objects have none",
            )

    def _set_block(self, names: Iterable[str], word: str, why: str) -> None:
        block, value = self.facts.block, word == "on"
        if block is None:
            return
        if differing := [name for name in names if block[name] is not value]:
            then = {**block, **dict.fromkeys(differing, value)}
            self._switch(Part.BLOCK, dict(block), then, f"{listed(differing)} {word}", why)

    def _close(self) -> None:
        """Blocks all public access; what other people opened is not broken."""
        public = {Access.POLICY.value, Access.ACL.value}
        if any(user.access in public for user in self.note.others(self._wanted.app)):
            self.warnings.append(
                "Another app in the bucket is public, so Block Public Access stays as it is: set "
                "that one up with --access cloudfront too."
            )
            return
        if others := open_to_anybody(self.facts):
            self.warnings.append(
                f"The bucket's policy lets anybody in by another statement ({', '.join(others)}), "
                "so Block Public Access stays as it is: take that out if nothing should be public."
            )
            return
        self._set_block(CLOSED, "on", "nothing of the bucket is to be public")

    def _say_what_is_open(self) -> None:
        """Warns of what anybody may read already, since nothing is taken away."""
        by = open_to_anybody(self.facts)
        if self.facts.blocks_policy or not by:
            return
        is_ours_alone = by == (ANYBODY.sid,)
        what = readable(sorted(granted(self.facts))) if is_ours_alone else _BY.format(listed(by))
        self.warnings.append(_STILL_OPEN.format(what))

    def _switch(self, part: Part, now: object, then: object, what: str, why: str) -> None:
        was = self.note.switches.get(part)
        before = was.before if was is not None and was.after == now else now
        switches = {**self.note.switches, part: Was(before, then)}
        self.note = replace(self.note, switches=switches)
        self.change(part, what, why, then)

    def _change_policy(self) -> None:
        before, reader = self.facts.policy_text, self._wanted.reader
        if not any(granted(self.facts, one) for one in self._readers()):
            self.note = replace(self.note, policy=before)
        whats = self._grant(reader)
        if reader != ANYBODY:
            whats += self._take_from_anybody()
        if whats:
            why = "there is no policy" if before is None else "other statements stay"
            self.change(Part.POLICY, ", ".join(whats), why, self.facts.policy_text)

    def _readers(self) -> set[Reader]:
        noted = {Reader(grant.distribution_arn) for grant in self.note.grants.values()}
        return noted | {ANYBODY, self._wanted.reader}

    def _grant(self, reader: Reader) -> list[str]:
        now = granted(self.facts, reader)
        missing = [prefix for prefix in self._wanted.prefixes if not covers(now, prefix)]
        if not missing:
            return []
        grant = self._grant_of(reader, now)
        self._put_grant(
            reader,
            replace(grant, added=grant.added | set(missing), taken=grant.taken - set(missing)),
        )
        self.take_policy(with_grant(self.facts, now | set(missing), reader))
        return [f"{who(reader)} may read {readable(missing)}"]

    def _take_from_anybody(self) -> list[str]:
        now = granted(self.facts)
        kept = self.note.granted_to_others(self._wanted.app, ANYBODY.sid)
        going = {prefix for prefix in now if prefix in self._wanted.prefixes} - kept
        if not going:
            return []
        grant = self._grant_of(ANYBODY, now)
        taken = grant.taken | (going - grant.added)
        self._put_grant(ANYBODY, replace(grant, added=grant.added - going, taken=taken))
        self.take_policy(with_grant(self.facts, now - going))
        return [f"{who(ANYBODY)} may read {readable(sorted(going))} no longer"]

    def _grant_of(self, reader: Reader, now: frozenset[str]) -> Grant:
        fresh = Grant(before=now, distribution_arn=reader.distribution_arn)
        return self.note.grants.get(reader.sid, fresh)

    def _put_grant(self, reader: Reader, grant: Grant) -> None:
        self.note = replace(self.note, grants={**self.note.grants, reader.sid: grant})

    # -- the rest

    def _allow_origins(self) -> None:
        others = (user.origins for user in self.note.others(self._wanted.app))
        named = frozenset(self._wanted.origins).union(*others)
        wanted = cors.rule(named) if named else None
        rules, now = self.facts.cors, cors.ours(self.facts.cors)
        if cors.is_same(now, wanted) or (wanted is not None and cors.allows(rules, wanted)):
            return
        if Part.CORS in self.facts.unknown:
            self.warnings.append(
                "This store knows no CORS rules, so pages of another origin cannot use its fonts "
                "and modules: see what its own documentation says of CORS."
            )
            return
        then = cors.with_rule(rules, wanted)
        if len(then) > cors.MOST_RULES:
            self.refusals.append(
                f"The bucket has {len(rules)} CORS rules, and S3 takes {cors.MOST_RULES}: take one "
                "out, or set FLASKS3_CORS_ORIGINS = []."
            )
            return
        was = self.note.cors
        before = was.before if was is not None and cors.is_same(now, was.after) else now
        self.note = replace(self.note, cors=Was(before, wanted))
        if wanted is None:
            self.change(Part.CORS, "our rule goes", "FLASKS3_CORS_ORIGINS names no origin", then)
            return
        why = "no rule allows it" if now is None else f"now it is {origins(now)}"
        self.change(Part.CORS, f"pages of {origins(wanted)} may read", why, then)

    def _decide_encryption(self) -> None:
        if not self.facts.is_kms:
            return
        if self._wanted.sse_s3:
            now = [dict(rule) for rule in self.facts.encryption_rules]
            then = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": SSE_S3}}]
            why = f"with {self.facts.encryption} nobody can read without a signature"
            self._switch(Part.ENCRYPTION, now, then, "SSE-S3 (AES256)", why)
            self.warnings.append(_AFTER_SSE_S3)
        elif self._access is Access.CLOUDFRONT:
            self.warnings.append(_KMS_BEHIND_CLOUDFRONT)
        elif self._access is not Access.NONE:
            self.warnings.append(_KMS)

    def _note_the_app(self) -> None:
        """Notes what the app needs, so that another one's undoing leaves it."""
        wanted, note = self._wanted, self.note
        before = note.apps.get(wanted.app)
        if note.is_empty:
            return
        prefixes = {} if before is None else dict(before.prefixes)
        if self._access in {Access.POLICY, Access.CLOUDFRONT}:
            sid = wanted.reader.sid
            prefixes[sid] = prefixes.get(sid, frozenset()) | set(wanted.prefixes)
        if self._access is Access.CLOUDFRONT:
            prefixes.pop(ANYBODY.sid, None)
        user = User(wanted.access.value, prefixes, frozenset(wanted.origins))
        self.note = note.noting(wanted.app, user)


_STILL_OPEN = (
    "With --access none set-up takes nothing away, so anybody can still read {}: flask s3 setup "
    "--undo takes set-up's own grant away, and --access cloudfront closes the bucket."
)
_BY = "what the policy's statement {} lets them"
_AFTER_ACL = (
    "What was published before has no public ACL: publish everything again with flask s3 deploy "
    "--force."
)
_AFTER_SSE_S3 = (
    "What was published before stays encrypted with KMS: publish everything again with flask s3 "
    "deploy --force."
)
_KMS = (
    "The bucket encrypts with KMS, which makes anonymous reads impossible: with --sse-s3 set-up "
    "makes SSE-S3 (AES256) its default."
)
_KMS_BEHIND_CLOUDFRONT = (
    "The bucket encrypts with KMS: the key's policy has to let cloudfront.amazonaws.com use "
    "kms:Decrypt for the distribution, or --sse-s3 makes SSE-S3 (AES256) the default."
)
