"""The settings: the only reader of `FLASKS3_*` and what goes with them, in config and environment.

Each setting is one field of `Settings`, with its key, default, kind and description beside it; the
documentation and `DEFAULT_SETTINGS` are made from those fields.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import format_datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import SplitResult, urlsplit

from .errors import CredentialsError, SettingsError

Kind = Callable[[str, object], Any]

_OLD_REGIONS = {
    "DEFAULT": None,
    "EU": "eu-west-1",
    "USWest": "us-west-1",
    "APSoutheast": "ap-southeast-1",
}
_ON = frozenset({"1", "true", "yes", "on"})
_OFF = frozenset({"0", "false", "no", "off", ""})
_EMPTY: Mapping[str, str] = MappingProxyType({})
_CLOUDFLARE = "CLOUDFLARE_API_TOKEN"
_CODINGS = ("br", "gzip", "zstd")
BUCKET = "bucket"
"""What `FLASKS3_MANIFEST` says when the manifest is that of the release in force."""


def _wrong(key: str, value: object, wanted: str) -> SettingsError:
    shown = "a secret value" if "KEY" in key or "TOKEN" in key else _shown(value)
    return SettingsError(f"{key} is {shown}, but it has to be {wanted}: change the setting.")


def _shown(value: object) -> str:
    """A value as it was written, without the passwords of addresses in it."""
    from .redaction import without_passwords  # noqa: PLC0415  (an app that starts needs none of it)

    if isinstance(value, str):  # before quotes and escapes come into it
        return repr(_without_password(value))
    return without_passwords(repr(value))


def _without_password(value: str) -> str:
    from .redaction import without_passwords  # noqa: PLC0415  (an app that starts needs none of it)

    return without_passwords(value)


def flag(key: str, value: object) -> bool:
    """Returns a switch's value: True, False, 1, 0, None (off), or their words in an environment.

    Raises:
        SettingsError: it is none of these.
    """
    if value is None or isinstance(value, bool):
        return bool(value)
    word = str(value).strip().lower()
    if isinstance(value, int | str) and word in _ON | _OFF:
        return word in _ON
    raise _wrong(key, value, "True or False")


def _plain(key: str, value: object) -> str | None:
    """Text, or None; an empty string counts as not set."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise _wrong(key, value, "a string")
    if re.search(r"[\x00-\x1f\x7f]", value):
        raise _wrong(key, value, "a string without line breaks or control characters")
    if re.search(r"[\ud800-\udfff]", value):  # how Python keeps bytes of another encoding
        raise _wrong(key, value, "UTF-8")
    return value


def _text(key: str, value: object) -> str:
    return _plain(key, value) or ""


def _file(key: str, value: object) -> str:
    name = _plain(key, value)
    if name is None:
        raise _wrong(key, value, "a file's name, or 'bucket'")
    return name


def _prefix(key: str, value: object) -> str:
    prefix = _text(key, value)
    if {".", ".."} & set(prefix.split("/")):
        raise _wrong(key, value, "a path without '.' and '..' segments, which browsers resolve")
    return prefix


def _bucket(key: str, value: object) -> str | None:
    name = _plain(key, value)
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]", name):
        raise _wrong(key, value, "a bucket's name (letters, digits, '-' and '.'; no URL, no path)")
    return name


NAME_RULE = "3 to 63 lower-case letters, digits, '-' and '.'"
"""What AWS takes for a new bucket's name (Amazon S3 User Guide, "Bucket naming rules")."""


def can_be_new(bucket: str) -> bool:
    """Returns whether a bucket of this name could be created; old ones may have other names."""
    label = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
    return 3 <= len(bucket) <= 63 and bool(re.fullmatch(rf"{label}(\.{label})*", bucket))


def _region(key: str, value: object) -> str | None:
    name = _plain(key, value)
    name = _OLD_REGIONS.get(name, name) if name else None
    # The second: boto 2's other words, such as APNortheast, which 0.3.3 did not know either.
    if name is not None and (
        not re.fullmatch(r"[A-Za-z0-9-]+", name)
        or re.fullmatch(r"(AP|CN|EU|SA|US)[A-Z][a-z]+\d?", name)
    ):
        raise _wrong(key, value, "a region such as 'eu-west-1', or 'DEFAULT'")
    return name


def _url(key: str, value: object) -> str | None:
    url = _plain(key, value)
    if url is None:
        return None
    parts = _address(url)
    if parts is None or parts.scheme not in {"http", "https"}:
        raise _wrong(key, value, "a URL such as 'https://s3.example.com'")
    return url.rstrip("/")


def _address(url: str) -> SplitResult | None:
    """Splits a URL; None when host and port cannot be used, or more than a path follows."""
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").encode("idna"), parts.port
    except ValueError:
        return None
    odd = re.search(r"[\s<>\"\\@]|:$", parts.netloc) or parts.query or parts.fragment
    return parts if host and not odd else None


def _domain(key: str, value: object) -> str:
    """A host, `host/path`, `//host` or a whole URL; returned without slashes at its end."""
    domain = _text(key, value).strip().rstrip("/")
    if not domain:
        return ""
    parts = _address(domain if "//" in domain else f"//{domain}")
    if parts is None:
        raise _wrong(key, value, "a host, 'host/path' or a URL without query")
    if parts.scheme not in {"", "http", "https"}:
        raise _wrong(key, value, "an http or https address")
    return domain


def _style(key: str, value: object) -> str:
    if value not in ("host", "path"):
        raise _wrong(key, value, "'host' or 'path'")
    return str(value)


def _count(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 4096:
        raise _wrong(key, value, "a whole number from 1 to 4096")
    return value


def _words(key: str, value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):  # a list of its letters, or of what its commas part: who knows
        raise _wrong(key, value, f"a list of strings such as {[_without_password(value)]}")
    if not isinstance(value, Sequence | set | frozenset):
        raise _wrong(key, value, "a list of strings")
    if not all(isinstance(word, str) for word in value):
        raise _wrong(key, value, "a list of strings")
    return tuple(value)


def _codings(key: str, value: object) -> tuple[str, ...]:
    names = _words(key, value)
    if unknown := [name for name in names if name not in _CODINGS]:
        raise _wrong(key, value, f"a list of 'br', 'gzip' and 'zstd', which {unknown[0]!r} is not")
    return tuple(dict.fromkeys(names))


def _origins(key: str, value: object) -> tuple[str, ...]:
    """Origins as browsers send them (RFC 6454), `*` for any."""
    origins = _words(key, value)
    for origin in origins:
        parts = None if origin == "*" else _address(origin)
        if origin != "*" and (parts is None or f"{parts.scheme}://{parts.netloc}" != origin):
            wanted = (
                "a list of origins such as 'https://shop.example.com', which "
                f"{_shown(origin)} is not"
            )
            raise _wrong(key, value, wanted)
    return tuple(dict.fromkeys(origins))


def _id(wanted: str, pattern: str) -> Kind:
    def read(key: str, value: object) -> str | None:
        name = _plain(key, value)
        if name is not None and not re.fullmatch(pattern, name):
            raise _wrong(key, value, wanted)
        return name

    return read


def _header_value(key: str, name: str, value: object) -> str:
    if isinstance(value, datetime):
        return format_datetime(value.astimezone(timezone.utc), usegmt=True)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _wrong(key, value, f"text where it gives the header {name!r}")
    text = str(value)
    if not re.fullmatch(r"[\t\x20-\x7e]*", text):
        raise _wrong(key, value, f"one line of ASCII where it gives the header {name!r}")
    return text


def _headers(key: str, value: object) -> Mapping[str, str]:
    """Header name (as written) to value; a list of pairs is read like a mapping."""
    try:
        pairs = dict(value) if value else {}  # type: ignore[call-overload]
    except (TypeError, ValueError):
        raise _wrong(key, value, "a dict of header names and values") from None
    for name in pairs:
        if not isinstance(name, str) or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise _wrong(key, value, f"a dict of header names (RFC 9110), which {name!r} is not")
    return MappingProxyType({n: _header_value(key, n, v) for n, v in pairs.items()})


def _rules(key: str, value: object) -> tuple[tuple[re.Pattern[str], Mapping[str, str]], ...]:
    """Regular expression to headers, in the order given."""
    if not value:
        return ()
    if not isinstance(value, Mapping):
        raise _wrong(key, value, "a dict of regular expressions to dicts of headers")
    rules = []
    for pattern, headers in value.items():
        rules.append((_expression(key, pattern), _headers(key, headers)))
    return tuple(rules)


def _expression(key: str, pattern: object) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)  # type: ignore[call-overload]
    except (re.error, TypeError, OverflowError, RecursionError) as error:
        wanted = f"a regular expression ({error})"
        raise _wrong(f"A pattern in {key}", pattern, wanted) from None
    if not isinstance(compiled.pattern, str):
        wanted = "a regular expression for text, not for bytes"
        raise _wrong(f"A pattern in {key}", pattern, wanted)
    return compiled  # type: ignore[no-any-return]


def _setting(key: str, default: object, kind: Kind, about: str) -> Any:  # noqa: ANN401
    """Declares a setting: its key, default, kind (checks and converts) and description."""
    return dataclasses.field(
        repr="SECRET" not in key and "TOKEN" not in key,
        metadata={"key": key, "default": default, "kind": kind, "about": about},
    )


@dataclass(frozen=True, slots=True)
class StaticKeys:
    """A pair of keys given by hand, with the session token of temporary ones."""

    access_key_id: str
    secret_access_key: str = dataclasses.field(repr=False)
    session_token: str | None = dataclasses.field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One app's settings, checked and in the form that the code uses.

    Made by `Settings.read`, which names the key, the value and the fix when one cannot work.
    """

    # -- where
    bucket_name: str | None = _setting(
        "FLASKS3_BUCKET_NAME", None, _bucket, "The bucket to publish to and to serve from."
    )
    region: str | None = _setting(
        "FLASKS3_REGION",
        None,
        _region,
        "The bucket's region, such as `eu-west-1`; also 0.3's words `DEFAULT`, `EU`, `USWest` and "
        "`APSoutheast`. When it is not set: `AWS_REGION`, `AWS_DEFAULT_REGION`, or what the store "
        "says.",
    )
    prefix: str = _setting(
        "FLASKS3_PREFIX", "", _prefix, "Stands before every key, and in every URL."
    )
    endpoint_url: str | None = _setting(
        "FLASKS3_ENDPOINT_URL",
        None,
        _url,
        "The store, when it is not AWS: `https://s3.example.com`. When it is not set: "
        "`AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`.",
    )
    app_name: str | None = _setting(
        "FLASKS3_APP",
        None,
        _plain,
        "Whose objects these are, when apps share a bucket; the app's `name` when it is not set.",
    )
    cors_origins: tuple[str, ...] = _setting(
        "FLASKS3_CORS_ORIGINS",
        ("*",),
        _origins,
        "The origins of the pages that may use fonts, modules and files with `integrity` from the "
        "bucket: `flask s3 setup` writes a CORS rule for them. `*`: any.",
    )
    # -- who
    access_key_id: str | None = _setting(
        "AWS_ACCESS_KEY_ID",
        None,
        _plain,
        "With `AWS_SECRET_ACCESS_KEY`: static credentials. Without them: the AWS credential chain "
        "(environment, profiles, SSO, roles).",
    )
    secret_access_key: str | None = _setting(
        "AWS_SECRET_ACCESS_KEY", None, _plain, "The secret that belongs to `AWS_ACCESS_KEY_ID`."
    )
    session_token: str | None = _setting(
        "AWS_SESSION_TOKEN", None, _plain, "The session token, for temporary credentials."
    )
    # -- URLs
    active: bool = _setting(
        "FLASKS3_ACTIVE",
        True,
        flag,
        "`False`: `url_for` is Flask's own everywhere. Set to `False` by `init_app` when "
        "`app.debug` is on and `FLASKS3_DEBUG` is not. Read on each call.",
    )
    debug: bool = _setting(
        "FLASKS3_DEBUG", False, flag, "`True`: active in debug mode too. Read on each call."
    )
    override_testing: bool = _setting(
        "FLASKS3_OVERRIDE_TESTING",
        True,
        flag,
        "`False`: Flask's own URLs while `TESTING` is on. Read on each call.",
    )
    python_urls: bool = _setting(
        "FLASKS3_PYTHON_URLS",
        True,
        flag,
        "`False`: only templates and `flask_s3.url_for` are rewritten, as in 0.3; `flask.url_for` "
        "and `app.url_for` stay Flask's.",
    )
    use_https: bool = _setting(
        "FLASKS3_USE_HTTPS", True, flag, "`False`: URLs begin with `http://`."
    )
    url_style: str = _setting(
        "FLASKS3_URL_STYLE",
        "host",
        _style,
        "`host`: the bucket's name is part of the host; `path`: of the path.",
    )
    bucket_domain: str = _setting(
        "FLASKS3_BUCKET_DOMAIN",
        "s3.amazonaws.com",
        _domain,
        "The host that serves the bucket, in URLs.",
    )
    cdn_domain: str = _setting(
        "FLASKS3_CDN_DOMAIN",
        "",
        _domain,
        "What stands in front of the bucket: a host, `host/path`, `//host` or a whole "
        "`https://…`. The bucket's name is then no part of the URL.",
    )
    local: tuple[str, ...] = _setting(
        "FLASKS3_LOCAL",
        (),
        _words,
        "Patterns (as in `.gitignore`, relative to the static folder) of files whose URL stays "
        "Flask's own, because browsers want them from the page's origin: service workers, workers, "
        "SVG for `<use>`. They are published all the same.",
    )
    # -- the cache in front
    cloudfront_distribution: str | None = _setting(
        "FLASKS3_CLOUDFRONT_DISTRIBUTION",
        None,
        _id("a distribution's id such as 'E2EXAMPLE1ABCD'", "[A-Z0-9]{8,20}"),
        "The CloudFront distribution in front of the bucket, by its id: a deploy then invalidates "
        "the plain names that it changed.",
    )
    cloudflare_zone: str | None = _setting(
        "FLASKS3_CLOUDFLARE_ZONE",
        None,
        _id("a zone's id of 32 hexadecimal digits", "[0-9a-f]{32}"),
        "The Cloudflare zone of `FLASKS3_CDN_DOMAIN`, by its id: a deploy then purges the plain "
        "names that it changed. Needs `CLOUDFLARE_API_TOKEN`.",
    )
    cloudflare_token: str | None = _setting(
        _CLOUDFLARE,
        None,
        _plain,
        "A token with the permission Zone → Cache Purge. When it is not set: the environment's.",
    )
    purger: object = _setting(
        "FLASKS3_PURGER",
        None,
        lambda _key, value: value or None,
        "A purger of your own, for another CDN: an object, a class or function that makes one, or "
        "its import path (`shop.cdn:Purger`).",
    )
    # -- what is published
    ignore: tuple[str, ...] = _setting(
        "FLASKS3_IGNORE",
        (),
        _words,
        "Patterns (as in `.gitignore`, relative to the static folder) of files that are not "
        "published; their URL stays Flask's own.",
    )
    allow: tuple[str, ...] = _setting(
        "FLASKS3_ALLOW",
        (),
        _words,
        "Files, by their exact path relative to the static folder, that are published whatever the "
        "guard says: although they look like a secret, or like litter.",
    )
    strict: bool = _setting(
        "FLASKS3_STRICT",
        False,
        flag,
        "`True`: what is otherwise a warning is an error. A symlink that leads out of its static "
        "folder is refused, and so are litter, databases, archives of the app and names that "
        "differ only in case; and under fingerprints a reference to a file that is not there stops "
        "a build, the app does not start without its manifest, and a name that it lacks raises.",
    )
    source_maps: bool = _setting(
        "FLASKS3_SOURCE_MAPS",
        True,
        flag,
        "`False`: source maps are not to be published; each one found is warned of "
        "(`FLASKS3_STRICT` refuses it).",
    )
    # -- fingerprints
    fingerprint: bool = _setting(
        "FLASKS3_FINGERPRINT",
        False,
        flag,
        "`True`: files are published under names that change with their content "
        "(`css/app.<digest>.css`), cached for a year, with every reference between them rewritten.",
    )
    fingerprint_exclude: tuple[str, ...] = _setting(
        "FLASKS3_FINGERPRINT_EXCLUDE",
        (),
        _words,
        "Patterns (as in `.gitignore`, relative to the static folder) of files that keep their "
        "plain name. HTML documents, `favicon.ico`, `robots.txt`, `.well-known/` and service "
        "workers do anyway.",
    )
    plain_names: bool = _setting(
        "FLASKS3_PLAIN_NAMES",
        True,
        flag,
        "`False`: fingerprinted files are not published under their plain names as well.",
    )
    manifest: str = _setting(
        "FLASKS3_MANIFEST",
        "flask-s3-manifest.json",
        _file,
        "The file that tells the published names, relative to the app's root path. `bucket`: the "
        "manifest of the release in force, fetched once when the app starts.",
    )
    release: str | None = _setting(
        "FLASKS3_RELEASE",
        None,
        _plain,
        "With `FLASKS3_MANIFEST = 'bucket'`: the release to serve, rather than the one in force.",
    )
    integrity: bool = _setting(
        "FLASKS3_INTEGRITY",
        False,
        flag,
        "`True`: the template helpers write `integrity` and `crossorigin`. The bucket then needs a "
        "CORS rule, or browsers block the files.",
    )
    encodings: tuple[str, ...] = _setting(
        "FLASKS3_ENCODINGS",
        (),
        _codings,
        "Encoded variants to publish beside each fingerprinted file, the preferred first: `br`, "
        "`gzip`, `zstd`. Templates then name the variant that the browser accepts.",
    )
    # -- how it is published
    headers: Mapping[str, str] = _setting(
        "FLASKS3_HEADERS", _EMPTY, _headers, "Headers of every object: `{'Cache-Control': '…'}`."
    )
    filepath_headers: tuple[tuple[re.Pattern[str], Mapping[str, str]], ...] = _setting(
        "FLASKS3_FILEPATH_HEADERS",
        MappingProxyType({}),
        _rules,
        "Headers by path: `{r'\\.css$': {'Cache-Control': '…'}}`. The regular expressions are "
        "searched in the path relative to the static folder.",
    )
    use_cache_control: bool = _setting(
        "FLASKS3_USE_CACHE_CONTROL",
        False,
        flag,
        "`True`: `FLASKS3_CACHE_CONTROL` becomes a header of every object.",
    )
    cache_control: str | None = _setting(
        "FLASKS3_CACHE_CONTROL",
        None,
        lambda key, value: value and _header_value(key, "Cache-Control", value),
        "The `Cache-Control` that `FLASKS3_USE_CACHE_CONTROL` switches on.",
    )
    only_modified: bool = _setting(
        "FLASKS3_ONLY_MODIFIED",
        False,
        flag,
        "`True`: `create_all` skips what is already right in the bucket. `flask s3 deploy` always "
        "does.",
    )
    gzip: bool = _setting(
        "FLASKS3_GZIP",
        False,
        flag,
        "`True`: publish files gzipped, with `Content-Encoding: gzip`, where that is smaller.",
    )
    gzip_only_exts: tuple[str, ...] = _setting(
        "FLASKS3_GZIP_ONLY_EXTS",
        (),
        _words,
        "Only files with these extensions are gzipped; with or without the dot.",
    )
    force_mimetype: bool = _setting(
        "FLASKS3_FORCE_MIMETYPE",
        False,
        flag,
        "0.3's switch for content types. They are always set now; the setting has no effect.",
    )
    concurrency: int = _setting(
        "FLASKS3_CONCURRENCY",
        512,
        _count,
        "Requests in flight at the same time, at most; fewer when the store asks for it.",
    )
    keep_releases: int = _setting(
        "FLASKS3_KEEP_RELEASES",
        5,
        _count,
        "How many releases `flask s3 prune` keeps at the least, the one in force included; in each "
        "of them, every fingerprinted URL goes on working.",
    )
    # -- not settings of their own
    explicit: frozenset[str] = dataclasses.field(default=frozenset())
    ca_bundle: str | None = dataclasses.field(default=None)

    @classmethod
    def read(
        cls,
        config: Mapping[str, Any],
        *,
        filled_in: Collection[str] = (),
        environ: Mapping[str, str] = os.environ,
        overrides: Mapping[str, object] = MappingProxyType({}),
    ) -> Settings:
        """Returns the settings of an app's config, completed from the environment.

        Args:
            config: `app.config`.
            filled_in: keys that `init_app` set to their default, so that nobody chose them.
            environ: the process's environment.
            overrides: fields that a caller gave by hand (`bucket_name`); None is no override.

        Raises:
            SettingsError: a value cannot work.
        """
        given = {f.name: v for f in FIELDS if (v := overrides.get(f.name)) is not None}
        settings = cls(**_values(config, given, filled_in, environ, FIELDS))
        _check_together(settings)
        return settings

    @classmethod
    def for_serving(
        cls,
        config: Mapping[str, Any],
        *,
        filled_in: Collection[str] = (),
        environ: Mapping[str, str] = os.environ,
    ) -> Settings:
        """Returns the settings that URLs are made from; the others are left at their defaults.

        A mistake in what only a deploy needs must not take the pages down.

        Raises:
            SettingsError: a value cannot work.
        """
        fields = [field for field in FIELDS if field.name in _SERVING]
        return cls(**_values(config, {}, filled_in, environ, fields))

    @property
    def key_prefix(self) -> str:
        """`FLASKS3_PREFIX` without slashes around it, empty when there is none."""
        return self.prefix.strip("/")

    @property
    def key_start(self) -> str:
        """What each key begins with: the prefix and a slash, or nothing."""
        return f"{self.key_prefix}/" if self.key_prefix else ""

    @property
    def all_headers(self) -> dict[str, str]:
        """Every header that is given to any object, by its name in lower case."""
        layers = (self.headers, *(headers for _, headers in self.filepath_headers))
        return {name.lower(): value for headers in layers for name, value in headers.items()}

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no text may show."""
        values = (self.secret_access_key, self.session_token, self.cloudflare_token)
        return tuple(value for value in values if value)

    def chosen(self, name: str) -> bool:
        """Returns whether somebody set the field, to whatever value."""
        return name in self.explicit

    def static_keys(self) -> StaticKeys | None:
        """Returns the keys given by settings or environment; None leaves it to the AWS chain.

        Raises:
            CredentialsError: half of a pair.
        """
        if not self.access_key_id and not self.secret_access_key:
            return None
        if self.access_key_id and self.secret_access_key:
            return StaticKeys(self.access_key_id, self.secret_access_key, self.session_token)
        names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
        present, missing = names if self.access_key_id else reversed(names)
        raise CredentialsError(
            f"{present} is set but {missing} is not, and one is of no use without the other: "
            "set both, or neither to use the AWS credential chain."
        )

    def require_bucket(self) -> str:
        """Returns the bucket's name.

        Raises:
            SettingsError: there is none.
        """
        if self.bucket_name is None:
            raise SettingsError(
                "FLASKS3_BUCKET_NAME is not set, so there is no bucket to publish to or to serve "
                'from: set app.config["FLASKS3_BUCKET_NAME"] to the bucket\'s name.'
            )
        return self.bucket_name


def _check_together(settings: Settings) -> None:
    """Refuses settings that cannot work with each other."""
    for key, chosen in (
        ("FLASKS3_ENCODINGS", settings.encodings),
        ("FLASKS3_INTEGRITY", settings.integrity),
    ):
        if chosen and not settings.fingerprint:
            raise SettingsError(
                f"{key} is set but FLASKS3_FINGERPRINT is not, and under plain names a page and "
                "its files would get out of step with each deploy: set FLASKS3_FINGERPRINT = True."
            )
    if settings.encodings and settings.gzip:
        raise SettingsError(
            "FLASKS3_GZIP and FLASKS3_ENCODINGS are both set, and the one leaves nothing "
            "unencoded for the other: take FLASKS3_GZIP out."
        )


FIELDS = tuple(field for field in dataclasses.fields(Settings) if "key" in field.metadata)
"""The fields that are settings, with key, default, kind and description in their metadata."""

_OURS = "FLASKS3_"
# Without what all begin with: ALLOWED is ALLOW, BUCKET is BUCKET_NAME; nothing farther.
_ALIKE = 0.7


def unknown(config: Mapping[str, object]) -> dict[str, str | None]:
    """Returns the keys that are meant for us and none of ours, each with the likely right one."""
    known = {field.metadata["key"] for field in FIELDS}
    texts = sorted(key for key in config if isinstance(key, str) and key not in known)
    meant = (key for key in texts if key.upper().startswith((_OURS, "FLASK_S3_")))
    return {key: _likely(key, known) for key in meant}


def _likely(key: str, known: Collection[str]) -> str | None:
    from difflib import get_close_matches  # noqa: PLC0415  (no app needs it whose keys are right)

    key = key.upper().replace("FLASK_S3_", _OURS).removeprefix(_OURS)
    ours = [name.removeprefix(_OURS) for name in known if name.startswith(_OURS)]
    begun = [name for name in ours if name.startswith(f"{key}_")]
    likely = begun if len(begun) == 1 else get_close_matches(key, ours, 1, _ALIKE)
    return f"{_OURS}{likely[0]}" if likely else None


_SERVING = frozenset(
    [
        "bucket_name",
        "region",
        "prefix",
        "endpoint_url",
        "python_urls",
        "use_https",
        "url_style",
        "bucket_domain",
        "cdn_domain",
        "local",
        "ignore",
        "strict",
        "fingerprint",
        "manifest",
        "release",
        "integrity",
        "encodings",
    ]
)


def _values(
    config: Mapping[str, Any],
    given: Mapping[str, object],
    filled_in: Collection[str],
    environ: Mapping[str, str],
    fields: Sequence[dataclasses.Field[Any]],
) -> dict[str, Any]:
    raw = {
        f.name: given.get(f.name, config.get(f.metadata["key"], f.metadata["default"]))
        for f in fields
    }
    values: dict[str, Any] = {
        f.name: f.metadata["kind"](f.metadata["key"], f.metadata["default"]) for f in FIELDS
    }
    values.update({f.name: f.metadata["kind"](f.metadata["key"], raw[f.name]) for f in fields})
    _complete(values, environ)
    chosen = {f.name for f in fields if _is_chosen(f, config, given, filled_in)}
    return {**values, "explicit": frozenset(chosen), "ca_bundle": environ.get("AWS_CA_BUNDLE")}


def _is_chosen(
    field: dataclasses.Field[Any],
    config: Mapping[str, Any],
    given: Mapping[str, object],
    filled_in: Collection[str],
) -> bool:
    key, default = field.metadata["key"], field.metadata["default"]
    if field.name in given:
        return True
    return key in config and not (key in filled_in and config[key] == default)


def _complete(values: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Fills what the config leaves open from the environment, and folds 0.3's cache switch in."""
    if values["use_cache_control"] and values["cache_control"]:
        others = {k: v for k, v in values["headers"].items() if k.lower() != "cache-control"}
        values["headers"] = MappingProxyType({**others, "Cache-Control": values["cache_control"]})
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        values["region"] = values["region"] or _region(name, environ.get(name))
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        values["endpoint_url"] = values["endpoint_url"] or _url(name, environ.get(name))
    values["cloudflare_token"] = values["cloudflare_token"] or _plain(
        _CLOUDFLARE, environ.get(_CLOUDFLARE)
    )
    if not (values["access_key_id"] or values["secret_access_key"]):
        for name in ("access_key_id", "secret_access_key", "session_token"):
            values[name] = _plain(f"AWS_{name.upper()}", environ.get(f"AWS_{name.upper()}"))


DEFAULT_SETTINGS: Mapping[str, Any] = MappingProxyType(
    {
        field.metadata["key"]: field.metadata["default"]
        for field in FIELDS
        if field.metadata["default"] is not None
    }
)
"""Each setting that has a default, read-only; kept for callers of 0.3."""


def fill_in(config: dict[str, Any]) -> set[str]:
    """Sets the settings that `config` lacks to their defaults, and returns their keys.

    Each app gets containers of its own, so that what one app puts in never shows up in another.
    """
    missing = {key: value for key, value in DEFAULT_SETTINGS.items() if key not in config}
    for key, value in missing.items():
        config[key] = _own_copy(value)
    return set(missing)


def _own_copy(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value
