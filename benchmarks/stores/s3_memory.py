"""S3's object API over dictionaries: a request in, an answer out. Pure: no network, no disk.

What is not checked: signatures, access, checksums (they are stored and given back). What answers
as AWS does: conditions, ranges, listings, multipart uploads, bucket sub-resources, error codes.
"""

from __future__ import annotations

import hashlib
import html
import itertools
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from time import gmtime, strftime
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

from stores.wire import Answer, Body

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
XML = ("Content-Type", "application/xml")
REGION = ("x-amz-bucket-region", "us-east-1")
OWNER = "<ID>latency</ID><DisplayName>latency</DisplayName>"
SYNTHETIC_ACL = (
    f"<AccessControlPolicy><Owner>{OWNER}</Owner><AccessControlList><Grant>"
    '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">'
    f"{OWNER}</Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList>"
    "</AccessControlPolicy>"
)

#: Response headers that S3 stores with an object (AWS API reference, PutObject).
STORED = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
)
STORED_PREFIXES = ("x-amz-meta-", "x-amz-checksum-")

#: The most that one DeleteObjects may name.
KEYS_A_DELETE = 1000

#: Bucket sub-resources: what AWS answers as long as none was put. A pair is an error.
SUBRESOURCES: Mapping[str, str | tuple[str, str]] = {
    "accelerate": "<AccelerateConfiguration/>",
    "acl": SYNTHETIC_ACL,
    "cors": ("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    "encryption": (
        "ServerSideEncryptionConfigurationNotFoundError",
        "The server side encryption configuration was not found",
    ),
    "lifecycle": (
        "NoSuchLifecycleConfiguration",
        "The lifecycle configuration does not exist",
    ),
    "location": f'<LocationConstraint xmlns="{NAMESPACE}"/>',
    "logging": "<BucketLoggingStatus/>",
    "object-lock": (
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
    ),
    "ownershipControls": (
        "OwnershipControlsNotFoundError",
        "The bucket ownership controls were not found",
    ),
    "policy": ("NoSuchBucketPolicy", "The bucket policy does not exist"),
    "policyStatus": ("NoSuchBucketPolicy", "The bucket policy does not exist"),
    "publicAccessBlock": (
        "NoSuchPublicAccessBlockConfiguration",
        "The public access block configuration was not found",
    ),
    "requestPayment": (
        "<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>"
    ),
    "tagging": ("NoSuchTagSet", "The TagSet does not exist"),
    "versioning": "<VersioningConfiguration/>",
    "website": (
        "NoSuchWebsiteConfiguration",
        "The specified bucket does not have a website configuration",
    ),
}

#: (level, method, argument in the query) → operation, by AWS's names.
OPERATIONS: Mapping[tuple[str, str, str], str] = {
    ("service", "GET", ""): "ListBuckets",
    ("bucket", "PUT", ""): "CreateBucket",
    ("bucket", "HEAD", ""): "HeadBucket",
    ("bucket", "DELETE", ""): "DeleteBucket",
    ("bucket", "GET", ""): "ListObjects",
    ("bucket", "GET", "list-type"): "ListObjectsV2",
    ("bucket", "GET", "uploads"): "ListMultipartUploads",
    ("bucket", "POST", "delete"): "DeleteObjects",
    ("object", "PUT", ""): "PutObject",
    ("object", "GET", ""): "GetObject",
    ("object", "HEAD", ""): "HeadObject",
    ("object", "DELETE", ""): "DeleteObject",
    ("object", "PUT", "acl"): "PutObjectAcl",
    ("object", "GET", "acl"): "GetObjectAcl",
    ("object", "POST", "uploads"): "CreateMultipartUpload",
    ("object", "PUT", "uploadId"): "UploadPart",
    ("object", "POST", "uploadId"): "CompleteMultipartUpload",
    ("object", "DELETE", "uploadId"): "AbortMultipartUpload",
    ("object", "GET", "uploadId"): "ListParts",
}
SUBRESOURCE_VERBS = {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}


class S3Error(Exception):
    """An answer that is an error: S3's code, its message, the HTTP status."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One S3 request; an empty ``key`` means the bucket, an empty ``bucket`` the service."""

    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Body

    @property
    def level(self) -> str:
        """``service``, ``bucket`` or ``object``."""
        return "object" if self.key else "bucket" if self.bucket else "service"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object: ``content`` is ``None`` when the server discarded it."""

    content: bytes | None
    size: int
    etag: str
    headers: tuple[tuple[str, str], ...]
    modified: float


@dataclass(slots=True)
class Bucket:
    """A bucket's objects, its sub-resources as they were put, and its keys in order."""

    objects: dict[str, StoredObject] = field(default_factory=dict)
    settings: dict[str, bytes] = field(default_factory=dict)
    _sorted: list[str] | None = None

    def put(self, key: str, stored: StoredObject) -> None:
        """Store an object, over an older one of the same key."""
        if key not in self.objects:
            self._sorted = None
        self.objects[key] = stored

    def remove(self, key: str) -> None:
        """Forget an object; a missing one is fine, as in S3."""
        if self.objects.pop(key, None):
            self._sorted = None

    def copy(self) -> Bucket:
        """One that changes by itself; the objects do not change."""
        return Bucket(dict(self.objects), dict(self.settings), self._sorted)

    def keys(self) -> list[str]:
        """All keys in S3's order, that of their UTF-8 bytes (equal to that of code points)."""
        if self._sorted is None:
            self._sorted = sorted(self.objects)
        return self._sorted


@dataclass(slots=True)
class Upload:
    """A multipart upload that is not complete yet."""

    key: str
    headers: tuple[tuple[str, str], ...]
    parts: dict[int, Body] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing: keys, common prefixes, and where the next one starts."""

    keys: list[str]
    prefixes: list[str]
    last: str
    truncated: bool


def operation(request: Request) -> str:
    """The operation's name in AWS's API reference, or ``Unknown``."""
    for name in request.query:
        found = OPERATIONS.get((request.level, request.method, name))
        if found:
            return found
        if request.level == "bucket" and name in SUBRESOURCES:
            return subresource_operation(request.method, name)
    if request.method == "PUT" and "x-amz-copy-source" in request.headers:
        return "CopyObject"
    return OPERATIONS.get((request.level, request.method, ""), "Unknown")


def subresource_operation(method: str, name: str) -> str:
    """Such as ``GetBucketPolicy``."""
    return f"{SUBRESOURCE_VERBS.get(method, method)}Bucket{name[0].upper()}{name[1:]}"


class Store:
    """Buckets in memory. ``keep`` names those that exist from the start and after a reset."""

    def __init__(self, keep: Iterable[str] = (), clock: Callable[[], float] = lambda: 0.0) -> None:
        self._keep = tuple(keep)
        self._clock = clock
        self._numbers = itertools.count(1)
        self._handlers = self._table()
        self.reset()

    def reset(self) -> None:
        """Forget everything but the names of the buckets kept."""
        self._buckets: dict[str, Bucket] = {name: Bucket() for name in self._keep}
        self._uploads: dict[str, Upload] = {}

    def state(self) -> Mapping[str, Bucket]:
        """All buckets as they are now."""
        return {name: bucket.copy() for name, bucket in self._buckets.items()}

    def become(self, state: Mapping[str, Bucket]) -> None:
        """Hold what ``state`` holds, and nothing else; uploads that are not complete are lost."""
        self._buckets = {name: bucket.copy() for name, bucket in state.items()}
        self._uploads = {}

    def counts(self) -> Mapping[str, int]:
        """How many objects each bucket holds."""
        return {name: len(bucket.objects) for name, bucket in self._buckets.items()}

    def answer(self, request: Request, name: str) -> Answer:
        """The answer to ``request``, whose operation is ``name``."""
        try:
            return self._handlers.get(name, self._subresource)(request)
        except S3Error as error:
            return error_answer(error, request)

    def _table(self) -> Mapping[str, Callable[[Request], Answer]]:
        return {
            "ListBuckets": self._list_buckets,
            "CreateBucket": self._create_bucket,
            "HeadBucket": self._head_bucket,
            "DeleteBucket": self._delete_bucket,
            "ListObjects": self._list_v1,
            "ListObjectsV2": self._list_v2,
            "ListMultipartUploads": self._list_uploads,
            "DeleteObjects": self._delete_objects,
            "PutObject": self._put,
            "CopyObject": self._copy,
            "GetObject": self._get,
            "HeadObject": self._head,
            "DeleteObject": self._delete,
            "PutObjectAcl": self._put_object_acl,
            "GetObjectAcl": self._get_object_acl,
            "CreateMultipartUpload": self._create_upload,
            "UploadPart": self._upload_part,
            "CompleteMultipartUpload": self._complete_upload,
            "AbortMultipartUpload": self._abort_upload,
            "ListParts": self._list_parts,
        }

    # Buckets

    def _bucket(self, request: Request) -> Bucket:
        try:
            return self._buckets[request.bucket]
        except KeyError:
            message = "The specified bucket does not exist"
            raise S3Error("NoSuchBucket", message, 404) from None

    def _list_buckets(self, _: Request) -> Answer:
        created = iso(self._clock())
        buckets = "".join(
            f"<Bucket><Name>{name}</Name><CreationDate>{created}</CreationDate></Bucket>"
            for name in sorted(self._buckets)
        )
        owner = f"<Owner>{OWNER}</Owner>"
        return document("ListAllMyBucketsResult", f"{owner}<Buckets>{buckets}</Buckets>")

    def _create_bucket(self, request: Request) -> Answer:
        self._buckets.setdefault(request.bucket, Bucket())
        return Answer(200, (("Location", f"/{request.bucket}"),))

    def _head_bucket(self, request: Request) -> Answer:
        self._bucket(request)
        return Answer(200, (REGION, XML))

    def _delete_bucket(self, request: Request) -> Answer:
        if self._bucket(request).objects:
            message = "The bucket you tried to delete is not empty"
            raise S3Error("BucketNotEmpty", message, 409)
        del self._buckets[request.bucket]
        return Answer(204)

    def _subresource(self, request: Request) -> Answer:
        name = next((name for name in request.query if name in SUBRESOURCES), None)
        if name is None or request.level != "bucket":
            raise S3Error("NotImplemented", "This server does not implement the request", 501)
        settings = self._bucket(request).settings
        if request.method == "PUT":
            return put_setting(settings, name, request)
        if request.method == "DELETE":
            settings.pop(name, None)
            return Answer(204)
        return get_setting(settings, name)

    # Listings

    def _list_v1(self, request: Request) -> Answer:
        bucket, query = self._bucket(request), request.query
        page = list_page(bucket.keys(), query, query.get("marker", ""))
        name = encoder(query)
        parts = [f"<Marker>{name(query.get('marker', ''))}</Marker>"]
        if page.truncated:
            parts.append(f"<NextMarker>{name(page.last)}</NextMarker>")
        return self._listing(request, bucket, page, parts)

    def _list_v2(self, request: Request) -> Answer:
        bucket, query = self._bucket(request), request.query
        token = query.get("continuation-token", "")
        page = list_page(bucket.keys(), query, unquote(token) or query.get("start-after", ""))
        parts = [f"<KeyCount>{len(page.keys) + len(page.prefixes)}</KeyCount>"]
        if page.truncated:
            following = quote(page.last, safe="")
            parts.append(f"<NextContinuationToken>{following}</NextContinuationToken>")
        return self._listing(request, bucket, page, parts)

    def _listing(
        self, request: Request, bucket: Bucket, page: Page, parts: Iterable[str]
    ) -> Answer:
        name = encoder(request.query)
        content = "".join(
            itertools.chain(
                listing_head(request, page),
                parts,
                (listed_object(key, bucket.objects[key], name) for key in page.keys),
                (listed_prefix(prefix, name) for prefix in page.prefixes),
            )
        )
        return document("ListBucketResult", content)

    def _list_uploads(self, request: Request) -> Answer:
        self._bucket(request)
        return document(
            "ListMultipartUploadsResult",
            f"<Bucket>{request.bucket}</Bucket><IsTruncated>false</IsTruncated>",
        )

    # Objects

    def _object(self, request: Request) -> StoredObject:
        try:
            return self._bucket(request).objects[request.key]
        except KeyError:
            raise S3Error("NoSuchKey", "The specified key does not exist.", 404) from None

    def _put(self, request: Request) -> Answer:
        bucket = self._bucket(request)
        check_write(bucket.objects.get(request.key), request.headers)
        body = request.body
        headers = stored_headers({**request.headers, **body.trailers})
        etag = f'"{body.md5.hex()}"'
        stored = StoredObject(body.content, body.size, etag, headers, self._clock())
        bucket.put(request.key, stored)
        return Answer(200, (("ETag", etag), *checksums(headers)))

    def _copy(self, request: Request) -> Answer:
        bucket = self._bucket(request)
        check_write(bucket.objects.get(request.key), request.headers)
        stored = replace(self._copy_source(request), modified=self._clock())
        if request.headers.get("x-amz-metadata-directive", "COPY") == "REPLACE":
            headers = (*stored_headers(request.headers), *checksums(stored.headers))
            stored = replace(stored, headers=headers)
        bucket.put(request.key, stored)
        return document("CopyObjectResult", copied(stored))

    def _copy_source(self, request: Request) -> StoredObject:
        source = unquote(request.headers["x-amz-copy-source"]).lstrip("/")
        bucket, _, key = source.partition("/")
        found = self._object(replace(request, bucket=bucket, key=key))
        if request.headers.get("x-amz-copy-source-if-match", found.etag) != found.etag:
            raise S3Error("PreconditionFailed", "The copy source does not match", 412)
        return found

    def _get(self, request: Request) -> Answer:
        stored = self._object(request)
        check_read(stored, request.headers)
        if stored.content is None:
            raise S3Error("NotImplemented", "This server discarded the object's body", 501)
        start, stop = byte_range(request.headers.get("range", ""), stored.size)
        if stop - start == stored.size:
            return Answer(200, object_headers(stored, request.headers), stored.content)
        content_range = ("Content-Range", f"bytes {start}-{stop - 1}/{stored.size}")
        return Answer(206, (*object_headers(stored, {}), content_range), stored.content[start:stop])

    def _head(self, request: Request) -> Answer:
        stored = self._object(request)
        check_read(stored, request.headers)
        return Answer(200, object_headers(stored, request.headers), size=stored.size)

    def _delete(self, request: Request) -> Answer:
        bucket = self._bucket(request)
        if "if-match" in request.headers:
            check_write(bucket.objects.get(request.key), request.headers)
        bucket.remove(request.key)
        return Answer(204)

    def _delete_objects(self, request: Request) -> Answer:
        bucket = self._bucket(request)
        quiet = "true" in texts(request.body, "Quiet")
        told = []
        for key, etag in deletions(request.body):
            name = f"<Key>{xml(key)}</Key>"
            try:
                check_write(bucket.objects.get(key), {"if-match": etag})
            except S3Error as error:
                told.append(f"<Error>{name}{error_elements(error)}</Error>")
            else:
                bucket.remove(key)
                told += [] if quiet else [f"<Deleted>{name}</Deleted>"]
        return document("DeleteResult", "".join(told))

    def _put_object_acl(self, request: Request) -> Answer:
        self._object(request)
        return Answer(200)

    def _get_object_acl(self, request: Request) -> Answer:
        self._object(request)
        return Answer(200, (XML,), SYNTHETIC_ACL.encode())

    # Multipart uploads

    def _upload(self, request: Request) -> Upload:
        try:
            return self._uploads[request.query["uploadId"]]
        except KeyError:
            raise S3Error("NoSuchUpload", "The specified upload does not exist.", 404) from None

    def _create_upload(self, request: Request) -> Answer:
        self._bucket(request)
        number = f"upload-{next(self._numbers)}"
        self._uploads[number] = Upload(request.key, stored_headers(request.headers))
        return document(
            "InitiateMultipartUploadResult",
            f"<Bucket>{request.bucket}</Bucket><Key>{xml(request.key)}</Key>"
            f"<UploadId>{number}</UploadId>",
        )

    def _upload_part(self, request: Request) -> Answer:
        upload = self._upload(request)
        if "x-amz-copy-source" in request.headers:
            raise S3Error("NotImplemented", "This server does not copy parts", 501)
        upload.parts[int(request.query["partNumber"])] = request.body
        sums = checksums(stored_headers({**request.headers, **request.body.trailers}))
        return Answer(200, (("ETag", f'"{request.body.md5.hex()}"'), *sums))

    def _complete_upload(self, request: Request) -> Answer:
        upload, bucket = self._upload(request), self._bucket(request)
        check_write(bucket.objects.get(request.key), request.headers)
        parts = chosen_parts(upload, request.body)
        stored = joined(parts, upload.headers, self._clock())
        bucket.put(request.key, stored)
        del self._uploads[request.query["uploadId"]]
        return document(
            "CompleteMultipartUploadResult",
            f"<Bucket>{request.bucket}</Bucket><Key>{xml(request.key)}</Key>"
            f"<ETag>{xml(stored.etag)}</ETag>",
        )

    def _abort_upload(self, request: Request) -> Answer:
        self._upload(request)
        del self._uploads[request.query["uploadId"]]
        return Answer(204)

    def _list_parts(self, request: Request) -> Answer:
        parts = sorted(self._upload(request).parts.items())
        listed = "".join(
            f"<Part><PartNumber>{number}</PartNumber><Size>{body.size}</Size>"
            f"<ETag>&quot;{body.md5.hex()}&quot;</ETag></Part>"
            for number, body in parts
        )
        return document("ListPartsResult", f"<IsTruncated>false</IsTruncated>{listed}")


# Conditions and ranges


def check_write(present: StoredObject | None, headers: Mapping[str, str]) -> None:
    """Raise what S3 answers when ``If-None-Match`` or ``If-Match`` does not hold for a write."""
    wanted = headers.get("if-match")
    if wanted and present is None:
        raise S3Error("NoSuchKey", "The specified key does not exist.", 404)
    if wanted and present and wanted not in ("*", present.etag, present.etag.strip('"')):
        raise failed_condition()
    if headers.get("if-none-match") == "*" and present is not None:
        raise failed_condition()


def check_read(stored: StoredObject, headers: Mapping[str, str]) -> None:
    """Raise what S3 answers when a condition does not hold for a read."""
    names = ("*", stored.etag, stored.etag.strip('"'))
    if headers.get("if-match", "*") not in names:
        raise failed_condition()
    if headers.get("if-none-match") in names:
        raise S3Error("NotModified", "Not Modified", 304)


def failed_condition() -> S3Error:
    """The 412 of a condition that does not hold."""
    message = "At least one of the pre-conditions you specified did not hold"
    return S3Error("PreconditionFailed", message, 412)


def byte_range(value: str, size: int) -> tuple[int, int]:
    """Start and stop of a ``Range`` header (RFC 9110 § 14.1.2); without one, the whole."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", value)
    if not match or match.groups() == ("", ""):
        return 0, size
    first, last = match.groups()
    if not first:
        return max(size - int(last), 0), size
    if int(first) >= size:
        raise S3Error("InvalidRange", "The requested range is not satisfiable", 416)
    return int(first), min(int(last) + 1, size) if last else size


# Headers


def stored_headers(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Those that S3 keeps with an object, without the transfer coding ``aws-chunked``."""
    return tuple(
        (name, kept)
        for name, value in headers.items()
        if name in STORED or name.startswith(STORED_PREFIXES)
        if (kept := without_framing(value) if name == "content-encoding" else value)
    )


def without_framing(encoding: str) -> str:
    """A ``Content-Encoding`` without ``aws-chunked``, which frames the transfer only."""
    return ", ".join(c for c in re.split(r"\s*,\s*", encoding) if c != "aws-chunked")


def checksums(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The checksums among stored headers."""
    return tuple(pair for pair in headers if pair[0].startswith("x-amz-checksum-"))


def object_headers(stored: StoredObject, asked: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The headers of a GET or HEAD answer; checksums only when they were asked for, as in S3."""
    headers = dict(stored.headers)
    if asked.get("x-amz-checksum-mode", "").upper() != "ENABLED":
        headers = {k: v for k, v in headers.items() if not k.startswith("x-amz-checksum-")}
    headers.setdefault("content-type", "binary/octet-stream")
    return (
        *headers.items(),
        ("ETag", stored.etag),
        ("Last-Modified", formatdate(stored.modified, usegmt=True)),
        ("Accept-Ranges", "bytes"),
    )


# Listings


def list_page(keys: list[str], query: Mapping[str, str], after: str) -> Page:
    """The page that starts behind ``after``, with ``delimiter`` groups counted as one entry."""
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    limit = min(int(query.get("max-keys") or 1000), 1000)
    found: list[str] = []
    groups: list[str] = []
    last = after
    for entry in entries(keys, prefix, delimiter, after):
        if len(found) + len(groups) == limit:
            return Page(found, groups, last, truncated=limit > 0)
        (groups if delimiter and entry.endswith(delimiter) else found).append(entry)
        last = entry
    return Page(found, groups, last, truncated=False)


def entries(keys: list[str], prefix: str, delimiter: str, after: str) -> Iterator[str]:
    """Keys, or common prefixes in their place, behind ``after``."""
    position = max(bisect_right(keys, after), bisect_left(keys, prefix))
    previous = after
    for key in itertools.islice(keys, position, None):
        if not key.startswith(prefix):
            return
        entry = grouped(key, prefix, delimiter)
        if entry != previous:
            yield entry
        previous = entry


def grouped(key: str, prefix: str, delimiter: str) -> str:
    """``key``, cut behind the first ``delimiter`` that follows ``prefix``."""
    if not delimiter:
        return key
    head, found, _ = key[len(prefix) :].partition(delimiter)
    return prefix + head + found


def encoder(query: Mapping[str, str]) -> Callable[[str], str]:
    """How a listing writes keys: percent-encoded when ``encoding-type=url`` asks for it."""
    if query.get("encoding-type") == "url":
        return lambda text: quote(text, safe="/")
    return xml


def listing_head(request: Request, page: Page) -> Iterator[str]:
    """The elements that both versions of a listing begin with."""
    query, name = request.query, encoder(request.query)
    yield f"<Name>{request.bucket}</Name><Prefix>{name(query.get('prefix', ''))}</Prefix>"
    yield f"<MaxKeys>{min(int(query.get('max-keys') or 1000), 1000)}</MaxKeys>"
    yield f"<IsTruncated>{'true' if page.truncated else 'false'}</IsTruncated>"
    if "delimiter" in query:
        yield f"<Delimiter>{name(query['delimiter'])}</Delimiter>"
    if "encoding-type" in query:
        yield f"<EncodingType>{xml(query['encoding-type'])}</EncodingType>"


def listed_object(key: str, stored: StoredObject, name: Callable[[str], str]) -> str:
    """One ``Contents`` element."""
    return (
        f"<Contents><Key>{name(key)}</Key><LastModified>{iso(stored.modified)}</LastModified>"
        f"<ETag>{xml(stored.etag)}</ETag><Size>{stored.size}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
    )


def listed_prefix(prefix: str, name: Callable[[str], str]) -> str:
    """One ``CommonPrefixes`` element."""
    return f"<CommonPrefixes><Prefix>{name(prefix)}</Prefix></CommonPrefixes>"


# Multipart uploads


def chosen_parts(upload: Upload, body: Body) -> list[Body]:
    """The parts that a completion names, in its order."""
    numbers = texts(body, "PartNumber")
    if not numbers:
        raise S3Error("MalformedXML", "The completion names no part", 400)
    try:
        return [upload.parts[int(number)] for number in numbers]
    except KeyError:
        raise S3Error("InvalidPart", "One or more of the parts could not be found.", 400) from None


def joined(
    parts: list[Body], headers: tuple[tuple[str, str], ...], modified: float
) -> StoredObject:
    """The object that ``parts`` make; its ETag is the MD5 of their MD5s, ``-``, their number."""
    kept = [part.content for part in parts if part.content is not None]
    content = b"".join(kept) if len(kept) == len(parts) else None
    digest = hashlib.md5(b"".join(part.md5 for part in parts), usedforsecurity=False)
    etag = f'"{digest.hexdigest()}-{len(parts)}"'
    return StoredObject(content, sum(part.size for part in parts), etag, headers, modified)


# Sub-resources


def put_setting(settings: dict[str, bytes], name: str, request: Request) -> Answer:
    """Store a sub-resource; an ACL given by header has no body and changes nothing here."""
    if request.body.content:
        settings[name] = request.body.content
    return Answer(204 if name == "policy" else 200)


def get_setting(settings: Mapping[str, bytes], name: str) -> Answer:
    """A sub-resource as it was put, else what AWS answers for one that never was."""
    default = SUBRESOURCES[name]
    if name in settings:
        kind = "application/json" if name == "policy" else "application/xml"
        return Answer(200, (("Content-Type", kind),), settings[name])
    if isinstance(default, tuple):
        raise S3Error(*default, 404)
    return Answer(200, (XML,), default.encode())


# XML


def xml(text: str) -> str:
    """``text`` escaped for an element; a line break too, which a parser would normalise."""
    return escape(text, {'"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"})


def iso(moment: float) -> str:
    """The date format of S3's XML."""
    return strftime("%Y-%m-%dT%H:%M:%S.000Z", gmtime(moment))


def copied(stored: StoredObject) -> str:
    """The content of a ``CopyObjectResult``."""
    modified = f"<LastModified>{iso(stored.modified)}</LastModified>"
    return f"{modified}<ETag>{xml(stored.etag)}</ETag>"


def document(name: str, content: str) -> Answer:
    """A 200 answer with an XML document."""
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} xmlns="{NAMESPACE}">{content}</{name}>'
    return Answer(200, (XML,), text.encode())


def error_answer(error: S3Error, request: Request) -> Answer:
    """The answer of an error; a HEAD or a 304 has no body."""
    if request.method == "HEAD" or error.status == 304:
        return Answer(error.status)
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>'
        f"{error_elements(error)}<BucketName>{xml(request.bucket)}</BucketName>"
        f"<Key>{xml(request.key)}</Key><RequestId>0</RequestId></Error>"
    )
    return Answer(error.status, (XML,), text.encode())


def error_elements(error: S3Error) -> str:
    """What every error says of itself."""
    return f"<Code>{error.code}</Code><Message>{xml(error.message)}</Message>"


def deletions(body: Body) -> list[tuple[str, str]]:
    """The keys that a ``DeleteObjects`` names, each with the ETag it must have, if any."""
    objects = elements((body.content or b"").decode(), "Object")
    if not 0 < len(objects) <= KEYS_A_DELETE:
        raise S3Error("MalformedXML", f"Name 1 to {KEYS_A_DELETE} objects", 400)
    return [
        (html.unescape(elements(each, "Key")[0]), html.unescape("".join(elements(each, "ETag"))))
        for each in objects
    ]


def texts(body: Body, name: str) -> list[str]:
    """The texts of all elements called ``name`` in a request's document."""
    return [html.unescape(text) for text in elements((body.content or b"").decode(), name)]


def elements(document: str, name: str) -> list[str]:
    """What stands in the elements called ``name``.

    No parser: the documents nest nothing in itself, and are written by SDKs.
    """
    return re.findall(f"<{name}>(.*?)</{name}>", document, re.DOTALL)
