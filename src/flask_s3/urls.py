"""Settings and a static route's mount to a URL: no network, no disk, one look-up for most names.

Quoting: RFC 3986 § 3.3, but `+` is quoted too, since S3 reads it as a space in a path.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from . import endpoints
from .manifest import Entry, Manifest
from .routes import Mount
from .settings import Settings

# What stands for itself in a path; everything else is percent-encoded.
_SAFE = "/-._~!$&'()*,;=:@"
# What browsers leave as it is (URL Standard, "path percent-encode set"), or change wherever it is.
_LEFT_AS_IS = _SAFE + "+[]^|"
# Names that need neither quoting nor cleaning, which is nearly all of them.
_CLEAN = re.compile(r"(?:[\w~-][\w.~-]*/)*[\w~-][\w.~-]*", re.ASCII)
# Without a manifest, names may come from anywhere.
_MOST_READY = 8192
_ADDRESS = re.compile(r".*:.*|\d{1,3}(\.\d{1,3}){3}|localhost")


@dataclass(frozen=True, slots=True)
class Base:
    """What stands before a key in a URL.

    Attributes:
        scheme: `https` or `http`.
        place: host and quoted path up to the prefix, without slash at its end.
    """

    scheme: str
    place: str

    @property
    def origin(self) -> str:
        """The scheme and host, as in a browser's `Origin`."""
        return f"{self.scheme}://{self.place.partition('/')[0]}"

    def url(self, path: str, scheme: str | None = None) -> str:
        """Returns the URL of a quoted path that begins with `/`.

        Args:
            path: quoted, with or without a query.
            scheme: instead of the base's own; empty for a URL that takes its page's.
        """
        scheme = self.scheme if scheme is None else scheme
        return f"{scheme}://{self.place}{path}" if scheme else f"//{self.place}{path}"


def base(settings: Settings) -> Base:
    """Returns the base of every URL: the CDN's, else the bucket domain's, else the store's.

    Raises:
        SettingsError: no bucket is configured.
    """
    bucket = settings.require_bucket()
    scheme, place = _site(settings, bucket)
    prefix = settings.key_prefix
    return Base(scheme, f"{place}/{quote(prefix, _SAFE)}" if prefix else place)


def _site(settings: Settings, bucket: str) -> tuple[str, str]:
    scheme = "https" if settings.use_https else "http"
    endpoint = urlsplit(settings.endpoint_url or "")
    if settings.cdn_domain:
        return _cdn(settings.cdn_domain, scheme)
    if settings.chosen("bucket_domain") and settings.bucket_domain:
        own, domain = _cdn(settings.bucket_domain, scheme)
        return own, _styled(bucket, domain, settings.url_style)
    if endpoint.hostname and not endpoints.is_aws(endpoint.hostname):
        own = scheme if settings.chosen("use_https") else endpoint.scheme
        named = settings.chosen("url_style") and not _ADDRESS.fullmatch(endpoint.hostname)
        style = settings.url_style if named else "path"
        return own, _styled(bucket, endpoint.netloc + endpoint.path, style)
    return scheme, _on_aws(settings, bucket)


def _on_aws(settings: Settings, bucket: str) -> str:
    dotted = "." in bucket and settings.use_https and not settings.chosen("url_style")
    if settings.url_style == "path" or dotted:
        return _styled(bucket, endpoints.regional_host(settings.region), "path")
    everywhere = endpoints.serves_globally(settings.region)
    host = endpoints.AWS_HOST if everywhere else endpoints.regional_host(settings.region)
    return _styled(bucket, host, "host")


def _styled(bucket: str, host: str, style: str) -> str:
    return f"{bucket}.{host}" if style == "host" else f"{host}/{bucket}"


def _cdn(domain: str, scheme: str) -> tuple[str, str]:
    """Splits `host`, `host/path`, `//host` or a whole URL; a host's own letters become ASCII."""
    parts = urlsplit(domain if "//" in domain else f"//{domain}")
    host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
    return parts.scheme or scheme, host + quote(parts.path.rstrip("/"), f"{_SAFE}%")


def clean(filename: str) -> str | None:
    """Returns a file name as a browser would ask for it: no empty and no `.` segments.

    None when it leads out of its folder (`..`): no key can be meant.
    """
    if _CLEAN.fullmatch(filename):
        return filename
    segments = filename.split("/")
    if ".." in segments:
        return None
    kept = [segment for segment in segments if segment not in {"", "."}]
    tail = "/" if kept and segments[-1] in {"", "."} else ""
    return "/".join(kept) + tail


def quoted(path: str) -> str:
    """Returns a path with everything percent-encoded that does not stand for itself."""
    return quote(path, _SAFE)


class Urls:
    """The URLs of one app's published files.

    Args:
        settings: the app's.
        stays_local: tells the files, by their path in the static folder, whose URL is Flask's own.
        manifest: the published names; None where files are published under their own.
        missing: told the path of a file that the manifest does not know; it may raise.

    Raises:
        SettingsError: no bucket is configured.
    """

    def __init__(
        self,
        settings: Settings,
        stays_local: Callable[[str], bool],
        manifest: Manifest | None = None,
        missing: Callable[[str], None] = lambda _path: None,
    ) -> None:
        self.base = base(settings)
        self.manifest = manifest
        self._stays_local = stays_local
        self._missing = missing
        self._mounts: dict[str, tuple[Mount, ...]] = {}
        self._starts: dict[str, str] = {}
        self._ready: defaultdict[tuple[str, ...], dict[tuple[str, str], str]] = defaultdict(dict)

    def knows(self, endpoint: str) -> bool:
        """Returns whether `add` was called for the endpoint."""
        return endpoint in self._mounts

    def add(self, endpoint: str, mounts: tuple[Mount, ...]) -> None:
        """Makes an endpoint known; without mounts, its URLs are Flask's own."""
        self._mounts[endpoint] = mounts
        if len(mounts) == 1 and not mounts[0].values:
            self._starts[endpoint] = self.base.url(quoted(mounts[0].path))

    def plain(self, endpoint: str, filename: object, codecs: tuple[str, ...] = ()) -> str | None:
        """Returns the URL of a file by nothing but a name that needs no cleaning, else None.

        Args:
            endpoint: by its whole name; None is returned for one that was not added.
            filename: as `url_for` takes it.
            codecs: the content codings that may be chosen from, the best first.
        """
        if type(filename) is not str:
            return None
        url = self._ready[codecs].get((endpoint, filename))
        if url is not None:
            return url
        start = self._starts.get(endpoint)
        if start is None or _CLEAN.fullmatch(filename) is None or self._stays_local(filename):
            return None
        url = start + filename
        if self.manifest is not None:
            found = self.manifest.find(f"{self._mounts[endpoint][0].path[1:]}{filename}")
            if found is None:
                return None
            url = self.of_entry(*found, codecs)
        ready = self._ready[codecs]
        if self.manifest is not None or len(ready) < _MOST_READY:
            ready[endpoint, filename] = url
        return url

    def general(
        self, endpoint: str, values: Mapping[str, object], codecs: tuple[str, ...] = ()
    ) -> str | None:
        """Returns the URL for any name and values, None where Flask's own is meant.

        Args:
            endpoint: one that was added.
            values: as `url_for` takes them: `filename`, the rule's variables, `_scheme`, what means
                nothing here (`_external`, `_method`, `_anchor`); the others are query arguments.
            codecs: as in `plain`.
        """
        place = self._place(endpoint, values)
        if place is None:
            return None
        mount, name = place
        path = self._published(mount.path, name, codecs)
        if path is None:
            return None
        query = _query({k: v for k, v in values.items() if k not in {*_NO_QUERY, *mount.values}})
        scheme = values.get("_scheme")
        return self.base.url(quoted(path) + query, None if scheme is None else str(scheme))

    def found(self, endpoint: str, values: Mapping[str, object]) -> tuple[str, Entry] | None:
        """Returns the manifest's entry for a file, and its path in there; None when it has none."""
        place = self._place(endpoint, values)
        if place is None or self.manifest is None:
            return None
        mount, name = place
        return self.manifest.find(f"{mount.path[1:]}{name}")

    def _place(self, endpoint: str, values: Mapping[str, object]) -> tuple[Mount, str] | None:
        """Returns the mount and the cleaned name that values ask for; None for Flask's own."""
        filename = values.get("filename")
        name = None if filename is None else clean(str(filename))
        mount = _matching(self._mounts[endpoint], values)
        if name is None or mount is None or self._stays_local(name):
            return None
        return mount, name

    def of_entry(self, path: str, entry: Entry, codecs: tuple[str, ...]) -> str:
        """Returns the URL of what a file of the manifest is published as."""
        return self.of_path(_beside(path, entry, codecs))

    def of_path(self, path: str) -> str:
        """Returns the URL of a path without the `/` before it."""
        return self.base.url(quoted(f"/{path}"))

    def of_specifiers(self, path: str) -> Iterable[str]:
        """Returns what module specifiers of a path lead to; browsers quote less than we do."""
        return dict.fromkeys((self.of_path(path), self.base.url(quote(f"/{path}", _LEFT_AS_IS))))

    def _published(self, mount_path: str, name: str, codecs: tuple[str, ...]) -> str | None:
        """Returns the path under which a file is published, None where Flask's own is meant."""
        path = mount_path + name
        if self.manifest is None:
            return path
        found = self.manifest.find(path[1:])
        if found is not None:
            return f"/{_beside(*found, codecs)}"
        if _HIDDEN.search(name):
            return None
        if name and not self.manifest.is_folder(path[1:]):
            self._missing(path[1:])
        return path


# A path segment that begins with a dot: such files are not published unless somebody asked for it.
_HIDDEN = re.compile(r"(?:^|/)\.(?!well-known(?:/|$))")


def _beside(path: str, entry: Entry, codecs: tuple[str, ...]) -> str:
    """Returns the path of what a file is published as, which stands in the folder of its own."""
    return path[: path.rfind("/") + 1] + entry.best(codecs).name


CALLS_OWN = frozenset({"_scheme", "_external", "_method", "_anchor"})
"""What `url_for` takes beside a URL's values."""
_NO_QUERY = CALLS_OWN | {"filename"}


def _matching(mounts: tuple[Mount, ...], values: Mapping[str, object]) -> Mount | None:
    for mount in mounts:
        if all(
            str(given) == value or (given is None and name in mount.defaulted)
            for name, value in mount.values.items()
            for given in [values.get(name)]
        ):
            return mount
    return None


def _query(values: Mapping[str, object]) -> str:
    """Returns `?…` as werkzeug writes it: lists repeat their name, None is left out."""
    pairs = [
        (name, item)
        for name, value in values.items()
        for item in (value if isinstance(value, list | tuple | set) else [value])
        if item is not None
    ]
    return "?" + urlencode(pairs, safe="!$'()*,/:;?@") if pairs else ""
