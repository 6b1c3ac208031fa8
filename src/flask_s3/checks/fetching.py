"""Asks for URLs as browsers do, many at a time, with patience that ends.

Proxies are those of the environment, as `urllib` reads it (`HTTPS_PROXY`, `NO_PROXY`).
"""

from __future__ import annotations

import re
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from ..encodings import Decoder, decoder
from ..errors import SettingsError
from .answers import Answer, Lost

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 15.0
_SLOWEST = 50_000
"""Bytes a second: what comes slower than this is given up."""
_ATTEMPTS = 3
_PAUSE = 0.1
"""Seconds before the second attempt, and twice that before the third."""
_PIECE = 64 * 1024
_KEPT_OF_A_REFUSAL = 2048
_TRANSIENT = (429, 500, 502, 503, 504)

T = TypeVar("T")
R = TypeVar("R")


class Browser:
    """Asks without cookies and credentials, and follows no redirect.

    Args:
        ca_bundle: a file or folder of authorities instead of the system's (`AWS_CA_BUNDLE`).
        in_flight: how many requests at a time.

    Raises:
        SettingsError: there are no authorities to be read.
    """

    def __init__(self, ca_bundle: str | None, in_flight: int) -> None:
        self._in_flight = in_flight
        options: dict[str, Any] = {
            "maxsize": in_flight,
            "block": False,
            "retries": False,  # its own would be told in the log, and not begin a body anew
            "timeout": urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
            "ssl_context": _tls(ca_bundle),
        }
        self._direct = urllib3.PoolManager(num_pools=10, **options)
        self._proxied: dict[str, urllib3.PoolManager] = {
            scheme: _through(proxy, options)
            for scheme, proxy in urllib.request.getproxies().items()
            if scheme in {"http", "https"}
        }
        codings = ["gzip", "br", *(["zstd"] if decoder("zstd") else [])]
        self._headers = {
            "Accept": "*/*",
            "Accept-Encoding": ", ".join(codings),
            "User-Agent": "flask-s3-verify",
        }

    def ask(
        self, url: str, origin: str | None = None, byte_range: str | None = None, size: int = 0
    ) -> Answer | Lost:
        """Returns what a URL answers.

        Args:
            url: the URL.
            origin: of the page that asks; None where none is sent.
            byte_range: such as `bytes=0-0`; then no content coding is accepted, as by browsers.
            size: how many bytes are expected, for how long to wait.
        """
        headers = dict(self._headers)
        if origin is not None:
            headers["Origin"] = origin
        if byte_range is not None:
            headers |= {"Range": byte_range, "Accept-Encoding": "identity"}
        patience = _READ_SECONDS + size / _SLOWEST
        for attempt in range(1, _ATTEMPTS + 1):
            answer = self._asked_once(url, headers, patience)
            if isinstance(answer, Answer) and answer.status not in _TRANSIENT:
                break
            if attempt < _ATTEMPTS:
                time.sleep(_PAUSE * attempt)
        return answer

    def _asked_once(self, url: str, headers: dict[str, str], patience: float) -> Answer | Lost:
        try:
            return self._asked(url, headers, time.monotonic() + patience)
        except (HTTPError, OSError) as error:
            return _lost(url, error)

    def _asked(self, url: str, headers: dict[str, str], deadline: float) -> Answer:
        response = self._pools(url).request(
            "GET",
            url,
            headers=headers,
            redirect=False,
            preload_content=False,
            enforce_content_length=True,
        )
        try:
            return _read(response, deadline)
        except BaseException:
            response.close()
            raise
        finally:
            response.release_conn()

    def _pools(self, url: str) -> urllib3.PoolManager:
        if not self._proxied:
            return self._direct
        parts = urlsplit(url)
        manager = self._proxied.get(parts.scheme)
        return self._direct if manager is None or _bypassed(parts.netloc) else manager

    def each(self, jobs: Sequence[T], do: Callable[[T], R]) -> Generator[R, None, None]:
        """Yields what comes of each job, in the order in which they end.

        The threads are daemons: whoever stops listening (Ctrl-C) waits for none of them.
        """
        left = iter(jobs)
        lock = threading.Lock()
        done: SimpleQueue[R | BaseException] = SimpleQueue()
        stopped = threading.Event()

        def work() -> None:
            while not stopped.is_set():
                with lock:
                    job = next(left, _END)
                if job is _END:
                    return
                try:
                    done.put(do(job))  # type: ignore[arg-type]
                except BaseException as error:
                    done.put(error)

        for _ in range(min(self._in_flight, len(jobs))):
            threading.Thread(target=work, daemon=True).start()
        try:
            for _ in jobs:
                result = done.get()
                if isinstance(result, BaseException):
                    raise result
                yield result
        finally:
            stopped.set()

    def close(self) -> None:
        """Closes the connections."""
        for manager in (self._direct, *self._proxied.values()):
            manager.clear()


_END = object()


@lru_cache(maxsize=64)
def _bypassed(host: str) -> bool:
    return bool(urllib.request.proxy_bypass(host))


def _through(proxy: str, options: dict[str, Any]) -> urllib3.PoolManager:
    try:
        parts = urlsplit(proxy if "//" in proxy else f"http://{proxy}")
        headers = None
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers = urllib3.make_headers(proxy_basic_auth=user)
        address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        return urllib3.ProxyManager(address, proxy_headers=headers, **options)
    except (HTTPError, ValueError) as error:
        raise SettingsError(
            "The proxy that the environment names (HTTP_PROXY, HTTPS_PROXY) is no http address: "
            "correct the variable, or take it out."
        ) from error


def _tls(ca_bundle: str | None) -> ssl.SSLContext:
    try:
        if ca_bundle and Path(ca_bundle).is_dir():
            return ssl.create_default_context(capath=ca_bundle)
        return ssl.create_default_context(cafile=ca_bundle or None)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"AWS_CA_BUNDLE is {ca_bundle!r}, which holds no certificates that can be read: "
            "name a file of certificates in PEM form, or take the variable out."
        ) from error


def _read(response: urllib3.BaseHTTPResponse, deadline: float) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.itermerged()}
    raw, decoding = sha256(), _Decoding(headers.get("content-encoding", ""))
    start = b""
    for piece in response.stream(_PIECE, decode_content=False):
        raw.update(piece)
        decoding.update(piece)
        if response.status >= 400 and len(start) < _KEPT_OF_A_REFUSAL:
            start += piece
        if time.monotonic() > deadline:
            raise TimeoutError
    code = re.search(rb"<Code>(\w{1,60})</Code>", start)
    return Answer(
        response.status,
        headers,
        raw.hexdigest(),
        decoding.digest(raw.hexdigest()),
        code[1].decode() if code else "",
    )


class _Decoding:
    """The digest of what a body decodes to, while it comes in."""

    def __init__(self, content_encoding: str) -> None:
        names = [name.strip().lower() for name in content_encoding.split(",")]
        self._names = [name for name in names if name not in {"", "identity"}]
        self._decoders: list[Decoder] = []
        for name in reversed(self._names):
            found = decoder(name)
            self._decoders += [] if found is None else [found]
        self._broken = len(self._decoders) < len(self._names)
        self._digest = sha256()

    def update(self, piece: bytes) -> None:
        """Takes a piece of the body."""
        if not self._names or self._broken:
            return
        try:
            for decode in self._decoders:
                piece = decode(piece)
        except Exception:  # each codec has an error of its own
            self._broken = True
        self._digest.update(piece)

    def digest(self, raw: str) -> str | None:
        """Returns the digest; that of the body where it is not encoded, None where it is broken."""
        if self._broken:
            return None
        return self._digest.hexdigest() if self._names else raw


# -- what went wrong


def _lost(url: str, error: Exception) -> Lost:
    """Says why there was no answer; never in the words of an error, which may hold anything."""
    place = urlsplit(url).netloc.rpartition("@")[2]
    for one in _causes(error):
        if isinstance(one, ssl.SSLCertVerificationError):
            return Lost(
                f"The certificate of {place} is not trusted ({one.verify_message})",
                "Correct the certificate; for an authority of your own: "
                "AWS_CA_BUNDLE=ca.pem flask s3 verify",
            )
        if isinstance(one, ssl.SSLError):
            return Lost(f"No TLS could be agreed on with {place}", _ADDRESS)
    for one in _causes(error):
        for kind, said in _SAID:
            if isinstance(one, kind):
                return Lost(f"{place} {said}", _ADDRESS)
    return Lost(f"The connection to {place} broke", "flask s3 verify")


_ADDRESS = (
    "Correct the address (FLASKS3_CDN_DOMAIN, FLASKS3_BUCKET_DOMAIN, FLASKS3_ENDPOINT_URL), or "
    "what serves it."
)
_SAID: tuple[tuple[type[BaseException], str], ...] = (
    (urllib3.exceptions.ProxyError, "cannot be reached through the proxy of the environment"),
    (urllib3.exceptions.NewConnectionError, "cannot be reached: unknown host, or nobody listens"),
    (urllib3.exceptions.ConnectTimeoutError, f"let nobody in within {_CONNECT_SECONDS:.0f} s"),
    (urllib3.exceptions.ReadTimeoutError, f"sent nothing for {_READ_SECONDS:.0f} s"),
    (urllib3.exceptions.LocationParseError, "is no host that can be asked"),
    (TimeoutError, f"sent less than {_SLOWEST // 1000} kB a second"),
)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yields an error and what it came from, the outermost first."""
    seen: set[int] = set()
    pending: list[object] = [error]
    while pending:
        one = pending.pop(0)
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            pending += [getattr(one, "reason", None), *one.args, one.__cause__, one.__context__]
