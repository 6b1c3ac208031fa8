"""S3 through the AWS Common Runtime (`awscrt.s3`), which signs, checks and sends in C.

botocore is asked for credentials only when none were given by hand. Both are imported when a
store is opened: serving never needs them.
"""

from __future__ import annotations

import base64
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cached_property, lru_cache, partial
from hashlib import md5, sha256
from html import unescape
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, quote, unquote, unquote_plus, urlsplit

from .. import endpoints
from ..assets import Body, BytesBody, FileBody
from ..errors import BucketMissing, CredentialsError, SettingsError, StoreError, WrongRegion
from ..headers import kept
from ..redaction import without_secrets
from ..settings import Settings
from .flow import ATTEMPTS, delay
from .protocol import (
    PART_BYTES,
    PARTS_IN_FLIGHT,
    Condition,
    Exchange,
    Fetched,
    Headers,
    Known,
    Listed,
    Stored,
    file_changed,
)
from .traced import is_traced, tell

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from awscrt.auth import AwsCredentialsProvider
    from awscrt.http import HttpRequest
    from awscrt.s3 import S3Client, S3Request

# The CRT opens 2.5 connections a Gbps that it aims at, however many it is allowed: aimed high, the
# limit on connections is the one that counts.
_SMALL_GBPS = 1000.0
# Large files need few connections.
_LARGE_GBPS = 10.0
# The smallest pool that the CRT accepts; it fills what it gets by reading ahead.
_POOL_BYTES = 256 * 1024**2
_PART_RETRIES = 5
# A connection, the file that it sends, and the file of the request that waits for it; and room.
_FILES_A_REQUEST = 4

T = TypeVar("T")


@dataclass(slots=True)
class Dialect:
    """What this store turned out to accept, learned from its answers to writes.

    Attributes:
        acl: whether objects are sent with an ACL.
        acl_refusal: the code with which ACLs were refused: `AccessControlListNotSupported` where
            they are disabled, `AccessDenied` where a Block Public Access forbids them.
        checksum: whether bodies are sent with `x-amz-checksum-sha256`.
        copies: whether it copies objects by itself, and lets these credentials ask for it.
        accepted: which of `acl`, `checksum` and `copy` a write was accepted with.
    """

    acl: bool = True
    acl_refusal: str | None = None
    checksum: bool = True
    copies: bool = True
    accepted: set[str] = field(default_factory=set)

    def learn(self, error: StoreError, carried: frozenset[str]) -> bool:
        """Takes the answer to a write in; returns whether it should go out again, as it is now.

        Args:
            error: the answer.
            carried: which of `acl`, `checksum` and `copy` the write carried of our own accord.
        """
        code = error.code
        if "copy" in carried - self.accepted and code in _NO_COPIES:
            self.copies = False
            return True
        if ("acl" in carried and not self.acl) or ("checksum" in carried and not self.checksum):
            return True  # learned from another write in the meantime
        untried = carried - self.accepted
        if ("acl" in carried and code == _ACLS_DISABLED) or ("acl" in untried and code in _NO_ACLS):
            self.acl, self.acl_refusal = False, code
            return True
        if "checksum" in untried and code in _NO_CHECKSUMS:
            self.checksum = False
            if self.acl_refusal in _NO_CHECKSUMS:  # it may have been the checksum all along
                self.acl, self.acl_refusal = True, None
            return True
        self._unlearn(code)
        return False

    @property
    def are_acls_disabled(self) -> bool:
        """Whether the bucket's owner disabled ACLs, which are not worth another try then."""
        return self.acl_refusal == _ACLS_DISABLED

    def disable_acls(self) -> None:
        """Sends no ACLs, since the bucket was found to refuse them before."""
        self.acl, self.acl_refusal = False, _ACLS_DISABLED

    def _unlearn(self, code: str) -> None:
        """Takes guesses back when the write fared no better without."""
        if code == self.acl_refusal != _ACLS_DISABLED:
            self.acl, self.acl_refusal = True, None
        if code in _NO_CHECKSUMS:
            self.checksum = True


_ACLS_DISABLED = "AccessControlListNotSupported"
# How stores refuse what they do not know; R2, for one, answers an ACL with NotImplemented.
_NO_CHECKSUMS = frozenset({"NotImplemented", "InvalidArgument", "InvalidRequest"})
# Copying takes s3:GetObject as well, which credentials that only write have not.
_NO_COPIES = frozenset({"NotImplemented", "MethodNotAllowed", "501", "405", "AccessDenied", "403"})
_NO_ACLS = _NO_CHECKSUMS | {"AccessDenied"}
_NO_DELETES = frozenset({"NotImplemented", "MethodNotAllowed", "501", "405"})
# Amazon S3 User Guide, "How to prevent object overwrites with conditional writes".
_IF_MATCH = "A write with If-Match needs s3:GetObject too."
_CONTROL = re.compile(r"[\x00-\x1f\ufffe\uffff]")


@dataclass(slots=True)
class _Answer:
    """What comes back on one request; filled by the CRT's callbacks, on its threads."""

    fields: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)

    def on_headers(self, headers: list[tuple[str, str]], **_: object) -> None:
        self.fields = headers

    def on_body(self, chunk: bytes, **_: object) -> None:
        self.body += chunk

    def header(self, name: str) -> str:
        """Returns the value of a header by its lower-case name, empty when there is none."""
        return next((value for field, value in self.fields if field.lower() == name), "")

    @property
    def etag(self) -> str:
        """The ETag without its quotes."""
        return self.header("etag").strip('"')


class _UploadAnswer(_Answer):
    """One of many."""

    __slots__ = ()

    def on_headers(self, headers: list[tuple[str, str]], **_: object) -> None:
        if threading.get_ident() not in _LASTING:
            _make_last()
        self.fields = headers


_LASTING: set[int] = set()


def _make_last() -> None:
    """Has Python keep what it holds of this thread, which is the CRT's.

    It would make it anew for each call that comes from there, three a request, and map and unmap
    memory each time: a fifth of a request's CPU time (measured on Linux, CPython 3.11). With one
    PyGILState_Ensure more than there are Releases, it stays (CPython's C API, "Non-Python created
    threads").
    """
    _LASTING.add(threading.get_ident())
    if sys.implementation.name == "cpython":
        with suppress(Exception):  # a Python that was built without libffi has no ctypes
            import ctypes  # noqa: PLC0415  (only an upload is worth its import)

            ctypes.pythonapi.PyGILState_Ensure()


class S3Store:
    """A bucket of an S3-compatible store, through the AWS CRT client.

    Args:
        settings: bucket, region, endpoint and credentials.
        region: where the bucket lives, when it is known better than by the settings.

    Raises:
        CredentialsError: there are none, or they cannot be had.
    """

    def __init__(self, settings: Settings, region: str | None = None) -> None:
        import awscrt.http  # noqa: PLC0415  (serving never needs it)
        import awscrt.s3  # noqa: PLC0415

        self._crt, self._crt_http = awscrt.s3, awscrt.http
        self.bucket = settings.require_bucket()
        provider, configured, self._secrets = _credentials(settings)
        self.region = region or settings.region or configured or "us-east-1"
        self.dialect = Dialect()
        self._deletes_many = True
        self._sending: dict[int, S3Request] = {}
        self._attempts: Counter[tuple[str, str]] | None = Counter() if is_traced() else None
        self._scheme, self._host, self._root = _address(settings, self.bucket, self.region)
        self._connect = partial(_client, settings, provider, self.region, self._scheme)
        # One try again in there; the others are ours, so that throttling is seen and obeyed.
        self._client: S3Client = self._connect(gbps=_SMALL_GBPS, retries=1)

    @property
    def address(self) -> str:
        """Where the store is, for people."""
        return f"{self._scheme}://{self._host}"

    @cached_property
    def _parts_client(self) -> S3Client:
        """The client for bodies in parts: a lost part is sent again, not the whole."""
        client: S3Client = self._connect(gbps=_LARGE_GBPS, retries=_PART_RETRIES)
        return client

    # -- the protocol

    def list(self, prefix: str) -> Iterator[Listed]:
        """See `Store.list`."""
        for page in self._pages(prefix, ""):
            decode = _decoder(page)
            for item in page.iterfind("{*}Contents"):
                yield Listed(
                    decode(_text(item, "Key")),
                    int(_text(item, "Size")),
                    _text(item, "ETag").strip('"'),
                    datetime.fromisoformat(
                        _text(item, "LastModified").replace("Z", "+00:00")
                    ).timestamp(),
                )

    def folders(self, prefix: str) -> Iterator[str]:
        """See `Store.folders`."""
        for page in self._pages(prefix, "/"):
            decode = _decoder(page)
            for item in page.iterfind("{*}CommonPrefixes"):
                yield decode(_text(item, "Prefix"))[len(prefix) :]

    def head(self, key: str) -> Future[Known | None]:
        """See `Store.head`."""
        headers = {"x-amz-checksum-mode": "ENABLED"}
        return self._ask("HEAD", "HeadObject", self._path(key), _known, headers, missing=None)

    def get(self, key: str) -> Fetched | None:
        """See `Store.get`."""
        try:
            return self._wait(partial(self._ask, "GET", "GetObject", self._path(key), _fetched))
        except StoreError as error:
            if error.status == 404 and not isinstance(error, BucketMissing):
                return None
            raise

    def put(
        self,
        key: str,
        body: Body,
        headers: Headers,
        *,
        public: bool = False,
        condition: Condition | None = None,
        sent: Callable[[int], None] | None = None,
    ) -> Future[Stored]:
        """See `Store.put`."""
        fields = {"Content-Length": str(body.size), **headers}
        carried: Set[str] = frozenset()
        if self.dialect.checksum and body.size <= PART_BYTES:
            digest = base64.b64encode(bytes.fromhex(body.sha256)).decode()
            fields["x-amz-checksum-sha256"] = digest
            carried |= {"checksum"}
        if public:
            carried |= self._with_acl(fields)
        if condition is not None:
            name, value = condition.header
            fields[name] = value
        return self._upload(key, body, fields, frozenset(carried), sent)

    def _with_acl(self, fields: dict[str, str]) -> frozenset[str]:
        """Asks for public reading where the store takes it; returns what is so carried."""
        if not self.dialect.acl or "x-amz-acl" in fields:
            return frozenset()
        fields["x-amz-acl"] = "public-read"
        return frozenset({"acl"})

    def copy(
        self, key: str, source: str, body: Body, headers: Headers, *, public: bool = False
    ) -> Future[Stored]:
        """See `Store.copy`."""
        if not self.dialect.copies:
            return self.put(key, body, headers, public=public)
        fields = {
            "Content-Length": "0",
            "x-amz-copy-source": quote(f"/{self.bucket}/{source}", _SIGNED_AS_IS),
            "x-amz-metadata-directive": "REPLACE",
            **headers,
        }
        carried = (self._with_acl(fields) if public else frozenset()) | {"copy"}
        return self._send(
            "CopyObject",
            self._client,
            partial(self._copied, carried),
            learn=partial(self.dialect.learn, carried=carried),
            type=self._crt.S3RequestType.DEFAULT,
            request=self._http("PUT", self._path(key), fields),
        )

    def write(self, key: str, data: bytes, headers: Headers, condition: Condition | None) -> Stored:
        """See `Store.write`."""
        body = BytesBody(data, sha256(data).hexdigest())
        try:
            return self._wait(lambda: self.put(key, body, headers, condition=condition))
        except StoreError as error:
            if error.status == 403:
                more = _IF_MATCH if condition is not None and condition.etag is not None else ""
                error.args = (f"{error} It is about {key}. {more}".rstrip(),)
            raise

    def delete(self, keys: Sequence[str]) -> Mapping[str, StoreError]:
        """See `Store.delete`."""
        # XML 1.0 has no way to write control characters.
        alone = keys if not self._deletes_many else [k for k in keys if _CONTROL.search(k)]
        failed = self._deleted_alone(alone)
        together = [key for key in keys if key not in set(alone)]
        if not together:
            return failed
        try:
            answer = self._delete_many(together).result()
        except StoreError as error:
            if error.code not in _NO_DELETES:
                return failed | dict.fromkeys(together, error)
            self._deletes_many = False
            return failed | self._deleted_alone(together)
        return failed | self._refused_deletes(answer, together)

    def _delete_many(self, keys: Sequence[str]) -> Future[_Answer]:
        from xml.sax.saxutils import escape  # noqa: PLC0415

        lines = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
        data = (
            '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>'
            f"{lines}</Delete>"
        ).encode()
        fields = {
            "Content-Length": str(len(data)),
            "Content-Type": "application/xml",
            "Content-MD5": base64.b64encode(md5(data, usedforsecurity=False).digest()).decode(),
        }
        return self._send(
            "DeleteObjects",
            self._client,
            _whole,
            type=self._crt.S3RequestType.DEFAULT,
            request=self._http("POST", f"{self._root or '/'}?delete", fields, BytesIO(data)),
        )

    def _refused_deletes(self, answer: _Answer, keys: Sequence[str]) -> dict[str, StoreError]:
        """Reads the errors by key, which come with status 200."""
        page = _parsed(answer)
        if page is None or not page.tag.endswith("DeleteResult"):
            return dict.fromkeys(keys, self._no_s3("DeleteObjects"))
        refused: dict[str, StoreError] = {}
        for item in page.iterfind("{*}Error"):
            code = _text(item, "Code")
            if code == "NoSuchKey":
                continue
            error = StoreError(
                self._explained("DeleteObjects", code, _text(item, "Message")),
                code=code,
                status=200,
                operation="DeleteObjects",
                transient=code in _TRANSIENT_CODES,
            )
            key = _text(item, "Key")
            # Whose key nobody knows may be that of any.
            refused |= {key: error} if key in keys else dict.fromkeys(keys, error)
        return refused

    def _deleted_alone(self, keys: Sequence[str]) -> dict[str, StoreError]:
        sent = {
            key: self._ask("DELETE", "DeleteObject", self._path(key), _whole, missing=None)
            for key in keys
        }
        errors = {}
        for key, future in sent.items():
            try:
                future.result()
            except StoreError as error:
                errors[key] = error
        return errors

    def give_up(self) -> None:
        """See `Store.give_up`."""
        for request in list(self._sending.values()):
            request.cancel()
        # A request that is on its way ends when it will; its connection is not waited for.
        self._client = self._connect(gbps=_SMALL_GBPS, retries=1)

    def bucket_exists(self) -> bool:
        """See `Store.bucket_exists`."""
        try:
            self._wait(partial(self._ask, "HEAD", "HeadBucket", self._root or "/", _whole))
        except StoreError as error:
            if error.status == 404:
                return False
            raise
        return True

    # -- requests

    def _path(self, key: str) -> str:
        return f"{self._root}/{quote(key, _SIGNED_AS_IS)}"

    def _pages(self, prefix: str, delimiter: str) -> Iterator[Element]:
        query = {"list-type": "2", "encoding-type": "url", "prefix": prefix, "delimiter": delimiter}
        while True:
            asked = "&".join(f"{n}={quote(v, _QUERY_AS_IS)}" for n, v in sorted(query.items()) if v)
            path = f"{self._root or '/'}?{asked}"
            page = _parsed(self._wait(partial(self._ask, "GET", "ListObjectsV2", path, _whole)))
            if page is None or not page.tag.endswith("ListBucketResult"):
                raise self._no_s3("ListObjectsV2")
            yield page
            if _text(page, "IsTruncated") != "true":
                return
            query["continuation-token"] = _text(page, "NextContinuationToken")

    def _ask(
        self,
        method: str,
        operation: str,
        path: str,
        convert: Callable[[_Answer], T],
        headers: Headers | None = None,
        **request: Any,  # noqa: ANN401
    ) -> Future[T]:
        http = self._http(method, path, headers or {})
        kind = self._crt.S3RequestType.DEFAULT
        return self._send(operation, self._client, convert, type=kind, request=http, **request)

    def _upload(
        self,
        key: str,
        body: Body,
        headers: Headers,
        carried: frozenset[str],
        sent: Callable[[int], None] | None,
    ) -> Future[Stored]:
        file = body.path if isinstance(body, FileBody) else None
        request: dict[str, Any] = {"send_filepath": file, "on_progress": sent}
        client = self._client
        if body.size > PART_BYTES:
            client = self._parts_client
            request["max_active_connections_override"] = PARTS_IN_FLIGHT
            # Streaming a part from disk garbles a short last one, before awscrt 0.38.1.
            request["fio_options"] = self._crt.S3FileIoOptions(should_stream=False)
        try:
            stream = None if isinstance(body, FileBody) else BytesIO(body.data)
        except OSError:
            return _failed(file_changed(key))
        except StoreError as error:  # the bytes come from another object
            return _failed(error)
        return self._send(
            "PutObject",
            client,
            partial(self._stored, carried),
            learn=partial(self.dialect.learn, carried=carried),
            type=self._crt.S3RequestType.PUT_OBJECT,
            request=self._http("PUT", self._path(key), headers, stream),
            answer=_UploadAnswer(),
            size=body.size,
            **request,
        )

    def _http(
        self, method: str, path: str, headers: Headers, stream: BytesIO | None = None
    ) -> HttpRequest:
        fields = self._crt_http.HttpHeaders([("Host", self._host), *headers.items()])
        return self._crt_http.HttpRequest(method, path, fields, stream)

    def _send(
        self,
        operation: str,
        client: S3Client,
        convert: Callable[[_Answer], T],
        *,
        missing: Any = ...,  # noqa: ANN401
        learn: Callable[[StoreError], bool] | None = None,
        answer: _Answer | None = None,
        size: int = 0,
        **request: Any,  # noqa: ANN401
    ) -> Future[T]:
        """Starts a request and returns the future of its converted answer.

        Args:
            operation: S3's name for it.
            client: the CRT's.
            convert: makes the value.
            missing: the value of a 404; without it, a 404 is an error.
            learn: told each error; True marks it as worth sending again.
            answer: takes the answer in.
            size: of the body, in bytes.
            **request: the CRT's arguments.
        """
        future: Future[T] = Future()
        answer = answer or _Answer()
        told = self._teller(operation, request["request"].path)

        def on_done(
            error: Exception | None,
            error_body: bytes | None,
            status_code: int | None = None,
            **_: object,
        ) -> None:
            self._sending.pop(id(answer), None)
            try:
                if told is not None:
                    told(status_code, size or len(answer.body))
                if error is None:
                    future.set_result(convert(answer))
                    return
                made = self._error(operation, error, answer, error_body or b"")
                if missing is not ... and made.status == 404:
                    future.set_result(missing)
                    return
                made.learned = learn is not None and learn(made)
                future.set_exception(made)
            except Exception as bug:
                future.set_exception(bug)

        try:
            self._sending[id(answer)] = client.make_request(
                operation_name=operation,
                on_headers=answer.on_headers,
                on_body=answer.on_body,
                on_done=on_done,
                **request,
            )
        except Exception as error:
            on_done(error, None)
        if future.done():  # before it was kept
            self._sending.pop(id(answer), None)
        return future

    def _teller(self, operation: str, path: str) -> Callable[[int | None, int], None] | None:
        """Returns what tells of a request once it is answered; None when nobody listens."""
        attempts = self._attempts
        if attempts is None:
            return None
        attempts[operation, path] += 1
        attempt, began = attempts[operation, path], time.monotonic()
        key, _, query = path.removeprefix(self._root).partition("?")
        key = unquote(key.lstrip("/")) or dict(parse_qsl(query)).get("prefix", "")

        def told(status: int | None, size: int) -> None:
            if status is not None and status not in _TRANSIENT:
                del attempts[operation, path]  # the next one is another request
            tell(Exchange(operation, key, status, time.monotonic() - began, size, attempt))

        return told

    def _wait(self, send: Callable[[], Future[T]]) -> T:
        """Returns the answer to one request, sent again while that may help."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return send().result()
            except StoreError as error:
                if attempt == ATTEMPTS or not (error.transient or error.learned):
                    raise
                time.sleep(0 if error.learned else delay(attempt))
        raise AssertionError

    def _stored(self, carried: frozenset[str], answer: _Answer) -> Stored:
        self.dialect.accepted |= carried
        return Stored(answer.etag, _date(answer.header("date")))

    def _copied(self, carried: frozenset[str], answer: _Answer) -> Stored:
        """Takes the answer to a copy in, whose 200 may still hold an error ("CopyObject")."""
        body = bytes(answer.body)
        if b"<Error>" in body:
            code = _tag(body, "Code")
            raise StoreError(
                self._explained("CopyObject", code, _tag(body, "Message")),
                code=code,
                status=200,
                operation="CopyObject",
                transient=True,
            )
        self.dialect.accepted |= carried
        return Stored(unescape(_tag(body, "ETag")).strip('"'), _date(answer.header("date")))

    def _error(self, operation: str, error: Exception, answer: _Answer, body: bytes) -> StoreError:
        status, code = _SWALLOWED.get(
            getattr(error, "name", ""), (getattr(error, "status_code", None), "")
        )
        if status is None:
            return self._transport_error(operation, error)
        code = code or _tag(body, "Code") or str(status)
        region = answer.header("x-amz-bucket-region") or _tag(body, "Region")
        kind: type[StoreError] = StoreError
        if code == "NoSuchBucket":
            kind = BucketMissing
        elif region and region != self.region and status in {301, 307, 400}:
            kind = WrongRegion
        made = kind(
            self._explained(operation, code, _tag(body, "Message")),
            code=code,
            status=status,
            operation=operation,
            transient=status in _TRANSIENT or code in _TRANSIENT_CODES,
        )
        if isinstance(made, WrongRegion):
            made.region = region
        return made

    def _explained(self, operation: str, code: str, message: str) -> str:
        """The sentence for an error; stores repeat what they were sent, credentials and all."""
        return without_secrets(explain(operation, code, self.bucket, message), self._secrets)

    def _no_s3(self, operation: str) -> StoreError:
        return StoreError(
            f"What answers at {self.address} does not speak S3: check FLASKS3_ENDPOINT_URL.",
            code="NotS3",
            status=None,
            operation=operation,
        )

    def _transport_error(self, operation: str, error: Exception) -> StoreError:
        name = getattr(error, "name", "") or str(error)
        if name in _FILE_CHANGED:
            text, transient = "The file changed while it was sent: publish again.", False
        elif name == _TOO_SLOW:
            transient = True
            text = (
                f"The connection to the store at {self.address} is too slow for so much at once: "
                "lower FLASKS3_CONCURRENCY."
            )
        elif "FILE" in name:
            text, transient = "The file could not be read: it vanished, or is unreadable.", False
        else:
            text = (
                f"The store at {self.address} could not be reached ({name}): check the address "
                "(FLASKS3_ENDPOINT_URL or AWS_ENDPOINT_URL, FLASKS3_REGION) and the network."
            )
            transient = not any(word in name for word in _FINAL)
        return StoreError(text, code=name, status=None, operation=operation, transient=transient)


# What a signature is computed over as it stands: the unreserved characters (Signature Version 4).
_SIGNED_AS_IS = "/-._~"
_QUERY_AS_IS = "-._~"
_TRANSIENT = frozenset({408, 409, 429, 500, 502, 503, 504})
# In the names of the CRT's errors: certificates and names do not get better by asking again.
_FINAL = ("CERT", "HOST_NAME", "TRUST_STORE", "TLS_ERROR_NEGOTIATION_FAILURE", "DNS_INVALID_NAME")
_TOO_SLOW = "AWS_ERROR_HTTP_CHANNEL_THROUGHPUT_FAILURE"
_FILE_CHANGED = frozenset({"AWS_ERROR_S3_INCORRECT_CONTENT_LENGTH", "AWS_ERROR_S3_FILE_MODIFIED"})
# Answers that the CRT turns into errors of its own, after its retry, and does not hand on.
_SWALLOWED = {
    "AWS_ERROR_S3_SLOW_DOWN": (503, "SlowDown"),
    "AWS_ERROR_S3_INTERNAL_ERROR": (500, "InternalError"),
    "AWS_ERROR_S3_REQUEST_TIMEOUT": (400, "RequestTimeout"),
    "AWS_ERROR_S3_REQUEST_TIME_TOO_SKEWED": (403, "RequestTimeTooSkewed"),
}
# Answered with 400 although the request was right: the connection was too slow, or bytes were
# spoiled on their way; where the file itself has changed, it is refused each time.
_WRONG_BYTES = ("BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch")
_TRANSIENT_CODES = frozenset({"RequestTimeout", "SlowDown", "InternalError", *_WRONG_BYTES})

_EXPLANATIONS = {
    "AccessDenied": "the credentials lack the permission, or the bucket belongs to somebody else: "
    "grant s3:{operation} on it to them, or choose another FLASKS3_BUCKET_NAME.",
    "InvalidAccessKeyId": "it does not know the access key: check AWS_ACCESS_KEY_ID.",
    "SignatureDoesNotMatch": "the secret does not belong to the access key: check "
    "AWS_SECRET_ACCESS_KEY.",
    "ExpiredToken": "the session token has expired: get new temporary credentials.",
    "InvalidToken": "it does not know the session token: check AWS_SESSION_TOKEN.",
    "RequestTimeTooSkewed": "this machine's clock is more than 15 minutes off: set it.",
    "NoSuchBucket": "there is no such bucket: flask s3 setup creates it, or correct "
    "FLASKS3_BUCKET_NAME.",
    "NoSuchKey": "an object that was published before is gone: publish again with --verify-remote.",
    "PermanentRedirect": "the bucket lives at another address: set FLASKS3_REGION to its region.",
    **dict.fromkeys(_WRONG_BYTES, "the file changed while it was sent: publish again."),
    "EntityTooLarge": "the file is too large for it: leave it out with FLASKS3_IGNORE.",
    "QuotaExceeded": "the bucket is full: raise its quota or remove objects.",
    "507": "the store is full: add space or remove objects.",
    "InsufficientStorage": "the store is full: add space or remove objects.",
    "503": "it asked for fewer requests and went on asking: lower FLASKS3_CONCURRENCY.",
    "SlowDown": "it asked for fewer requests and went on asking: lower FLASKS3_CONCURRENCY.",
    "TooManyRequests": "it asked for fewer requests and went on asking: lower FLASKS3_CONCURRENCY.",
    "RequestTimeout": "the connection is too slow for so much at once: lower FLASKS3_CONCURRENCY.",
    "InternalError": "it failed, and failed again: publish again later.",
    "InvalidStorageClass": "it does not know the storage class: correct x-amz-storage-class in "
    "FLASKS3_HEADERS.",
}
_EXPLANATIONS["403"] = _EXPLANATIONS["AccessDenied"]
_EXPLANATIONS["AccessControlListNotSupported"] = (
    "ACLs are disabled on the bucket: take x-amz-acl out of FLASKS3_HEADERS and "
    "FLASKS3_FILEPATH_HEADERS."
)
_GRANTS = {
    "HeadBucket": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "HeadObject": "GetObject",
    # Without the right to list, what is not there looks forbidden (S3 API, "GetObject").
    "GetObject": "GetObject and s3:ListBucket",
    "DeleteObjects": "DeleteObject",
}


def explain(operation: str, code: str, bucket: str, message: str) -> str:
    """Returns the sentence for an S3 error: what was refused, why, and what to do."""
    if code in _EXPLANATIONS:
        why = _EXPLANATIONS[code].format(operation=_GRANTS.get(operation, operation))
    else:
        said = f"it said {message!r}" if message else "it gave no reason"
        why = f"{said}; the store's documentation explains the code."
    return f"The store refused {operation} in bucket {bucket!r} ({code}): {why}"


def client_error(error: StoreError) -> StoreError:
    """Returns the same error as one that is also a `botocore.exceptions.ClientError`."""
    from botocore.exceptions import ClientError  # noqa: PLC0415

    kind = type(error)
    both: Any = type(kind.__name__, (kind, ClientError), {"__module__": kind.__module__})
    made: StoreError = both.__new__(both)
    made.args = error.args
    answer = {
        "Error": {"Code": error.code, "Message": str(error)},
        "ResponseMetadata": {"HTTPStatusCode": error.status},
    }
    made.__dict__.update(vars(error), operation_name=error.operation, response=answer)
    return made


def in_its_region(settings: Settings, use: Callable[[S3Store], T]) -> T:
    """Returns what a look into the bucket gives, in the region where the bucket lives.

    Raises:
        SettingsError: it lives in another region than the settings say.
    """
    store = S3Store(settings)
    try:
        return use(store)
    except WrongRegion as error:
        if settings.region is not None:
            raise SettingsError(
                f"Bucket {store.bucket!r} lives in {error.region}, but FLASKS3_REGION (or "
                f"AWS_REGION) says {settings.region}: set FLASKS3_REGION = {error.region!r}."
            ) from error
        return use(S3Store(settings, error.region))


def _failed(error: StoreError) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


# -- answers


def _whole(answer: _Answer) -> _Answer:
    return answer


def _fetched(answer: _Answer) -> Fetched:
    written, now = _date(answer.header("last-modified")), _date(answer.header("date"))
    return Fetched(bytes(answer.body), answer.etag, now - written if written and now else 0.0)


def _parsed(answer: _Answer) -> Element | None:
    """Returns the XML of an answer, None when it is none."""
    from xml.etree import ElementTree as ET  # noqa: PLC0415  (the store's own answer)

    try:
        return ET.fromstring(bytes(answer.body))  # noqa: S314
    except ET.ParseError:
        return None


def _known(answer: _Answer) -> Known:
    digest = answer.header("x-amz-checksum-sha256")
    of_parts = "-" in digest or answer.header("x-amz-checksum-type") == "COMPOSITE"
    return Known(
        size=int(answer.header("content-length") or 0),
        etag=answer.etag,
        modified=_date(answer.header("last-modified")),
        sha256=base64.b64decode(digest).hex() if digest and not of_parts else None,
        headers=kept(dict(answer.fields)),
    )


@lru_cache(maxsize=64)
def _date(value: str) -> float:
    """Returns an HTTP date (RFC 9110 § 5.6.7) in seconds since the epoch; 0 when there is none."""
    return parsedate_to_datetime(value).timestamp() if value else 0.0


def _tag(body: bytes, name: str) -> str:
    found = re.search(rf"<{name}>([^<]*)</{name}>".encode(), body)
    return found[1].decode("utf-8", "replace") if found else ""


def _decoder(page: Element) -> Callable[[str], str]:
    """Returns what makes keys of a listing's: `+` is a space where the store encoded them."""
    return unquote_plus if _text(page, "EncodingType") == "url" else str


def _text(element: Element, name: str) -> str:
    return element.findtext(f"{{*}}{name}") or ""


# -- connecting


def _address(settings: Settings, bucket: str, region: str) -> tuple[str, str, str]:
    """Returns scheme, host and the path before the key.

    AWS is asked in host style; with a dotted name, which its certificate does not cover, and at any
    other store, which may have no DNS for it, in path style.
    """
    if settings.endpoint_url is not None:
        parts = urlsplit(settings.endpoint_url)
        return parts.scheme, parts.netloc, f"{parts.path}/{bucket}"
    host = endpoints.regional_host(region)
    if "." in bucket:
        return "https", host, f"/{bucket}"
    return "https", f"{bucket}.{host}", ""


def _credentials(
    settings: Settings,
) -> tuple[AwsCredentialsProvider, str | None, Sequence[str | None]]:
    """Returns the CRT's provider, the region of the profile in use, and what no text may show."""
    from awscrt.auth import AwsCredentialsProvider  # noqa: PLC0415

    keys = settings.static_keys()
    if keys is not None:
        return (
            AwsCredentialsProvider.new_static(
                keys.access_key_id, keys.secret_access_key, keys.session_token
            ),
            None,
            settings.secrets,
        )
    return _chain()


def _chain() -> tuple[AwsCredentialsProvider, str | None, Sequence[str | None]]:
    """The same of the AWS credential chain: profiles, SSO, roles; asked again as they age."""
    from awscrt.auth import AwsCredentials, AwsCredentialsProvider  # noqa: PLC0415

    credentials, region = chain()
    last = credentials.get_frozen_credentials()
    secrets: list[str | None] = [last.secret_key, last.token]

    def current() -> AwsCredentials:
        nonlocal last
        with suppress(Exception):  # with the last ones the store says itself that they expired
            last = credentials.get_frozen_credentials()
            secrets[:] = [last.secret_key, last.token]
        return AwsCredentials(last.access_key, last.secret_key, last.token)

    return AwsCredentialsProvider.new_delegate(current), region, secrets


def chain() -> tuple[Any, str | None]:
    """Returns botocore's credentials from the AWS chain, and the region of the profile in use.

    Raises:
        CredentialsError: there are none, or they cannot be had.
    """
    import botocore.session  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ProfileNotFound  # noqa: PLC0415

    try:
        session = botocore.session.Session()
        credentials = session.get_credentials()
        region = session.get_config_variable("region")
        if credentials is not None:
            credentials.get_frozen_credentials()
    except ProfileNotFound as error:
        raise CredentialsError(f"{error}: correct AWS_PROFILE.") from error
    except BotoCoreError as error:
        said = without_secrets(str(error), ()).rstrip(".")
        raise CredentialsError(
            f"The AWS credentials could not be had: {said}. Log in again, or choose another "
            "AWS_PROFILE."
        ) from error
    if credentials is None:
        raise CredentialsError(
            "No credentials were found in the settings, the environment, a profile or a role: set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
        )
    return credentials, region


def _client(
    settings: Settings,
    provider: AwsCredentialsProvider,
    region: str,
    scheme: str,
    *,
    gbps: float,
    retries: int,
) -> S3Client:
    from awscrt.s3 import (  # noqa: PLC0415
        S3Client,
        S3RequestTlsMode,
        S3RetryConfig,
        create_default_s3_signing_config,
    )

    secure = scheme == "https"
    files = _allow_open_files(settings.concurrency * _FILES_A_REQUEST)
    return S3Client(
        region=region,
        tls_mode=S3RequestTlsMode.ENABLED if secure else S3RequestTlsMode.DISABLED,
        tls_connection_options=_tls(settings.ca_bundle) if secure and settings.ca_bundle else None,
        signing_config=create_default_s3_signing_config(
            region=region, credential_provider=provider
        ),
        part_size=PART_BYTES,
        throughput_target_gbps=gbps,
        memory_limit=_POOL_BYTES,
        max_active_connections_override=min(settings.concurrency, max(1, files // 2)),
        retry_config=S3RetryConfig(max_retries=retries),
    )


def _allow_open_files(count: int) -> int:
    """Returns how many files this process may open, `count` at most; raises the limit to that.

    macOS begins with 256, Linux with 1,024 (getrlimit(2)); every program of Go's does the same.
    """
    try:
        import resource  # noqa: PLC0415  (Windows has none, and no such limit)
    except ImportError:
        return count
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return soft


def _tls(ca_bundle: str) -> Any:  # noqa: ANN401
    from awscrt.io import ClientTlsContext, TlsContextOptions  # noqa: PLC0415

    options = TlsContextOptions()
    options.override_default_trust_store_from_path(None, ca_bundle)
    return ClientTlsContext(options).new_connection_options()
