"""What must not become public, and what is hardly meant to: one table of exact patterns.

What is public by design stands in no row: Google's browser keys (`AIza…`), Stripe's `pk_live_`,
Mapbox's `pk.`, a Sentry DSN. Nor does what only looks like a secret: a library that contains the
words `BEGIN RSA PRIVATE KEY`, a placeholder, the keys of a vendor's documentation.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

# Larger files are film, sound and archives; searching them would cost more than their upload.
SCANNED_BYTES = 8 * 1024 * 1024


class Kind(enum.Enum):
    """Where a pattern is looked for, and what comes of it."""

    NAME = "name"
    """In each segment of a file's path; refused."""
    CONTENT = "content"
    """In a file's bytes; refused."""
    LITTER = "litter"
    """In a file's name; warned of, and refused with `FLASKS3_STRICT`."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern, and what a file is that it is found in.

    Attributes:
        kind: where it is looked for.
        what: what the file is (`NAME`, `LITTER`) or holds (`CONTENT`).
        source: the page that says so.
        pattern: matches a whole segment or name in lower case; is searched in a content. Its group,
            if any, is the part that tells a placeholder.
        hint: of `CONTENT`: found wherever the pattern is, and searched much faster. Rows with the
            same one stand together.
        spares: of `CONTENT`: what a match is that is no secret.
        several: of `LITTER`: what several such files are, where `what` does not say it.
    """

    kind: Kind
    what: str
    source: str
    pattern: str
    hint: str = ""
    spares: str = ""
    several: str = ""


# Somebody's own words, or the keyboard's: no random text has them.
_PLACEHOLDER = r"(.)\1{5}|EXAMPLE|(?i:example|your|placeholder|dummy|redacted|12345678|abcdefgh)"
# No more than a few characters tell a password from another word.
_NO_PASSWORD = rf"{_PLACEHOLDER}|(?i:pass|secret|change)|^[A-Za-z]*$|^[0-9]*$"
# One pass finds all tokens that have an underscore before their random part.
_UNDERSCORE = (
    r"_(?=[0-9A-Za-z]{16})(?:(?<=gh[opusr]_)|(?<=github_pat_)|(?<=npm_)|(?<=[rs]k_live_)"
    r"|(?<=dop_v1_)|(?<=shpat_)|(?<=hf_))"
)
_SK = r"sk-(?:ant-|proj-|svcacct-|admin-|[0-9A-Za-z]{20}T3BlbkFJ)"
_URL = r"://(?:hooks\.slack\.com/|[^\s/:@\"'<>]*:[^\s/@\"'<>]+@)"
_AWS_ID = r"\bA[KS]IA[0-9A-Z]{16}\b"
_AWS_SECRET = r"(?<![0-9A-Za-z/+=])[0-9A-Za-z/+]{40}(?![0-9A-Za-z/+=])"  # noqa: S105
_GITLEAKS = "gitleaks, config/gitleaks.toml"
_GITHUB_LIST = 'GitHub Docs, "Supported secret scanning patterns"'
_GITIGNORES = "github/gitignore, Global"

SOURCE_MAP = Rule(
    Kind.LITTER, "a source map", "FLASKS3_SOURCE_MAPS", r".+\.map", several="source maps"
)
ARCHIVE = Rule(
    Kind.LITTER,
    "an archive of the app or of its data",
    'OWASP Web Security Testing Guide, "Review Old Backup and Unreferenced Files"',
    # A date may stand before the name; a version or date, and what follows, behind it.
    r"(?:\d[\dt.-]*[-_. ]+)?(.+?)(?:[-_. ]*v?\d[\w.-]*)?"
    r"\.(?:zip|7z|rar|tar|tgz|tbz2|txz|tar\.(?:gz|bz2|xz|zst))",
    several="archives of the app or of its data",
)

RULES = (
    # -- names
    Rule(
        Kind.NAME,
        "an environment file, which holds secrets",
        'The Twelve-Factor App, "Config"; github/gitignore, Python',
        r"\.env.*",
    ),
    Rule(
        Kind.NAME,
        "part of a Git repository",
        'OWASP Web Security Testing Guide, "Review Old Backup and Unreferenced Files"',
        r"\.git",
    ),
    Rule(
        Kind.NAME,
        "part of the AWS configuration, which holds credentials",
        'AWS CLI User Guide, "Configuration and credential file settings"',
        r"\.aws",
    ),
    Rule(
        Kind.NAME,
        "a file of passwords or tokens",
        'npm Docs, "npmrc"; Python Packaging User Guide, "The .pypirc file"; curl, "netrc"; '
        'PostgreSQL, "The Password File"; Git, "git-credential-store"; Apache, "htpasswd"',
        r"\.npmrc|\.pypirc|[._]netrc|\.pgpass|\.git-credentials|\.htpasswd|\.dockercfg|\.ssh",
    ),
    Rule(
        Kind.NAME,
        "a private key or a store of keys",
        'OpenBSD, "ssh-keygen(1)"; RFC 7292; PuTTY, "PPK file format"; Java, "keytool"; KeePass',
        r"id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?|.+\.(?:ppk|p12|pfx|jks|keystore|kdbx?)",
    ),
    Rule(
        Kind.NAME,
        "Terraform's state, which holds secrets",
        'HashiCorp, "Manage sensitive data in your configuration"',
        r".+\.tfstate(?:\.backup)?",
    ),
    # -- contents
    Rule(
        Kind.CONTENT,
        "a private key",
        "RFC 7468 § 10 and 11; RFC 4716; RFC 9580 § 6.2",
        # In JSON, as Google's service accounts have it, the line breaks are two characters.
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\\[nr]|\s)+"
        # Each header ends at one place only: a search that may choose never ends.
        r"(?:[A-Za-z-]+: [^\r\n\\]*(?:\\[nr]|[\r\n])(?:\\[nr]|\s)*)*[A-Za-z0-9+/=]{32}",
        "PRIVATE KEY",
    ),
    Rule(
        Kind.CONTENT,
        "a live Stripe key",
        'Stripe Docs, "API keys"',
        r"\b[rs]k_live_[0-9A-Za-z]{24,}",
        _UNDERSCORE,
        _PLACEHOLDER,
    ),
    Rule(
        Kind.CONTENT,
        "a GitHub token",
        'GitHub Docs, "About authentication to GitHub"; ' + _GITLEAKS,
        r"\bgh[opusr]_[0-9A-Za-z]{36}|\bgithub_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}\b",
        _UNDERSCORE,
        _PLACEHOLDER,
    ),
    Rule(
        Kind.CONTENT,
        "an npm token",
        f'GitHub Blog, "Announcing npm\'s new access token format"; {_GITLEAKS}',
        r"\bnpm_[0-9A-Za-z]{36}\b",
        _UNDERSCORE,
        _PLACEHOLDER,
    ),
    Rule(
        Kind.CONTENT,
        "a DigitalOcean, Shopify or Hugging Face token",
        f"{_GITHUB_LIST}; {_GITLEAKS}",
        r"\bdop_v1_[0-9a-f]{64}\b|\bshpat_[0-9A-Fa-f]{32}\b|\bhf_[A-Za-z]{34}\b",
        _UNDERSCORE,
        _PLACEHOLDER,
    ),
    Rule(
        Kind.CONTENT,
        "an AWS access key beside its secret",
        'IAM User Guide, "IAM identifiers" and "Manage access keys for IAM users"',
        rf"({_AWS_ID})(?=[\s\S]{{0,200}}?{_AWS_SECRET})"
        rf"|{_AWS_SECRET}(?=[\s\S]{{0,200}}?({_AWS_ID}))",
        r"A[KS]IA[0-9A-Z]{16}",
        _PLACEHOLDER,
    ),
    Rule(
        Kind.CONTENT,
        "an Anthropic or OpenAI key",
        f"{_GITHUB_LIST}; {_GITLEAKS}",
        r"\bsk-ant-(?:api|admin)\d\d-[\w-]{93}AA|\bsk-(?:proj-|svcacct-|admin-)[\w-]{20,200}T3BlbkFJ"
        r"[\w-]{20}|\bsk-[0-9A-Za-z]{20}T3BlbkFJ[0-9A-Za-z]{20}",
        _SK,
        _PLACEHOLDER,
    ),
    Rule(
        Kind.CONTENT,
        "a Slack webhook, which anybody can post to",
        'Slack, "Sending messages using incoming webhooks"; ' + _GITLEAKS,
        r"://hooks\.slack\.com/services/T[0-9A-Z]{7,}/B[0-9A-Z]{7,}/[0-9A-Za-z]{24}",
        _URL,
        rf"(?:X{{8}}|0{{8}})|{_PLACEHOLDER}",
    ),
    Rule(
        Kind.CONTENT,
        "a database's address with its password",
        'PostgreSQL, "Connection URIs"; MongoDB, "Connection Strings"; IANA, "URI Schemes"',
        r"\b(?:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|amqps?)(?:\+\w+)?://[^\s/:@\"'<>]*:"
        r"([^\s/@\"'<>{}$*]{8,})@(?!localhost\b|127\.|\[|(?:[\w-]+\.)*example\b)[\w-]+[.:/\w-]*",
        _URL,
        _NO_PASSWORD,
    ),
    Rule(
        Kind.CONTENT,
        "a Slack token",
        f'Slack, "Tokens"; {_GITLEAKS}',
        r"\bxoxb-\d{10,13}-\d{10,13}-[0-9A-Za-z]{18,}|\bxox[pe](?:-\d{10,13}){3}-[0-9A-Za-z]{28,}",
        r"xox[bpe]-",
        _PLACEHOLDER,
    ),
    Rule(
        Kind.CONTENT,
        "a GitLab token",
        f'GitLab Docs, "Token overview"; {_GITLEAKS}',
        r"\bglpat-[\w-]{20}",
        r"glpat-[\w-]{20}",
        _PLACEHOLDER,
    ),
    Rule(
        Kind.CONTENT,
        "a PyPI token",
        f'PyPI, "Help: API tokens"; {_GITLEAKS}',
        r"\bpypi-AgEIcHlwaS5vcmc[\w-]{50}",
        "AgEIcHlwaS5vcmc",
    ),
    Rule(
        Kind.CONTENT,
        "a SendGrid key",
        f'SendGrid Docs, "API Keys"; {_GITLEAKS}',
        r"\bSG\.[\w-]{22}\.[\w-]{43}(?![\w-])",
        r"SG\.[\w-]{22}\.",
        _PLACEHOLDER,
    ),
    # -- litter
    Rule(
        Kind.LITTER,
        "litter of an editor or of the operating system",
        f"{_GITIGNORES}: macOS, Windows, Vim, Emacs, Backup, Diff",
        r"\.ds_store|\._.+|thumbs\.db|desktop\.ini|.+~|.+\.(?:sw[nop]|orig|rej|bak|tmp)|\.?#.+",
    ),
    Rule(
        Kind.LITTER,
        "a database, or a dump of one",
        'SQLite, "Command Line Shell"; PostgreSQL, "pg_dump"; MySQL, "mysqldump"',
        r".+\.(?:sqlite3?|db3?|mdb|sql|dump)(?:\.(?:gz|bz2|xz|zst|zip))?(?:-(?:wal|shm|journal))?",
        several="databases, or dumps of some",
    ),
    ARCHIVE,
    SOURCE_MAP,
)

# Other archives are downloads.
_ARCHIVED = (
    "app|application|backups?|code|database|db|dumps?|htdocs|old|private|public_html|repo|server"
    "|site|source|src|static|web|website|www|wwwroot"
)
# ECMA-426, "Linking inline code to source maps".
_INLINE_MAP = re.compile(rb"sourceMappingURL=data:application/json")
# Compressed: a secret in there cannot be read, and random bytes that look like one are none.
_COMPRESSED = (
    b"\x89PNG\r\n",
    b"\xff\xd8\xff",
    b"GIF8",
    b"wOF2",
    b"wOFF",
    b"\x1f\x8b\x08",
    b"PK\3\4",
)


def _of(kind: Kind) -> tuple[Rule, ...]:
    return tuple(rule for rule in RULES if rule.kind is kind)


# What every file is asked is compiled at once, the rest when a file gives reason to: most never.
_NAMES, _LITTER = _of(Kind.NAME), _of(Kind.LITTER)
_ANY_NAME, _ANY_LITTER = (
    re.compile("|".join(f"(?:{rule.pattern})" for rule in rows)) for rows in (_NAMES, _LITTER)
)
_CONTENTS = tuple(
    (re.compile(hint.encode()), tuple(rules))
    for hint, rules in groupby(_of(Kind.CONTENT), key=lambda rule: rule.hint)
)


def _holds(data: bytes, rule: Rule) -> bool:
    """Returns whether a content has what the rule finds, and not only what it spares."""
    spares = re.compile(rule.spares.encode()) if rule.spares else None
    return any(
        spares is None or not spares.search(found[found.lastindex or 0])
        for found in re.finditer(rule.pattern.encode(), data)
    )


def refused_name(filename: str) -> str | None:
    """Returns why a file may not be published, by its path; None when nothing speaks against it."""
    for segment in filename.lower().split("/"):
        if _ANY_NAME.fullmatch(segment):
            return next(f"it is {r.what}" for r in _NAMES if re.fullmatch(r.pattern, segment))
    return None


def refused_content(data: bytes) -> str | None:
    """Returns why a file may not be published, by its content; None when it may."""
    if data.startswith(_COMPRESSED):
        return None
    for hint, rules in _CONTENTS:
        if hint.search(data):
            for rule in rules:
                if _holds(data, rule):
                    return f"it holds {rule.what}"
    return None


def has_source_map(data: bytes) -> bool:
    """Returns whether a script or style sheet has its source map inside, rather than beside it."""
    return _INLINE_MAP.search(data) is not None


def litter(filename: str, own_names: frozenset[str]) -> Rule | None:
    """Returns what kind of file hardly anybody means to publish this is, by its name, if any.

    Args:
        filename: its path.
        own_names: the app's, in lower case: archives of that name hold it.
    """
    name = filename.rpartition("/")[2].lower()
    if not _ANY_LITTER.fullmatch(name):
        return None
    for rule in _LITTER:
        found = re.fullmatch(rule.pattern, name)
        if found and (rule is not ARCHIVE or _is_of_the_app(found[1], own_names)):
            return rule
    return None


def _is_of_the_app(stem: str, own_names: frozenset[str]) -> bool:
    """Returns whether an archive is called like the app, or says so, or both: `shop-backup`."""
    own = "|".join(map(re.escape, sorted(own_names)))
    either = rf"(?:{own})(?:[-_. ]+(?:{_ARCHIVED}))?|(?:{_ARCHIVED})(?:[-_. ]+(?:{own}))?"
    return re.fullmatch(either, stem) is not None


def twins(keys: Iterable[str]) -> Iterator[Sequence[str]]:
    """Yields the keys that are one on some machines: they differ in case or Unicode form only.

    macOS and Windows know files whatever their case (Git, "core.ignoreCase"), macOS whatever their
    form (Git, "core.precomposeUnicode"; Unicode Standard Annex #15).
    """
    folded: dict[str, list[str]] = {}
    for key in keys:
        plain = key if key.isascii() else unicodedata.normalize("NFC", key)
        folded.setdefault(plain.casefold(), []).append(key)
    yield from (same for same in folded.values() if len(same) > 1)
