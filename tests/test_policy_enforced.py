"""What `flask s3 policy` prints suffices, where it is enforced, and nothing is too many."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import servers
from proxy import Answer, Proxy, Seen
from servers import Server
from steps import Site, site
from users import as_user, one_less

from flask_s3 import FlaskS3Error, url_for
from flask_s3.access import carry_out
from flask_s3.cli.commands import s3
from flask_s3.release.records import Sweep, folder_of, sweep_to_json
from flask_s3.release.remote import releases_of
from flask_s3.serve.serving import state_of
from flask_s3.store.protocol import PART_BYTES

FILES = {"a.css": "a{}", "b.png": "b", "index.html": "<link rel=stylesheet href=a.css>"}
NEIGHBOUR = {"FLASKS3_APP": "neighbour", "FLASKS3_PREFIX": "next"}


def printed(mine: Site, *options: str) -> dict[str, Any]:
    """The policy that the command prints."""
    return mine.run("policy", *options).json


# -- enforced


def two_releases(mine: Site) -> None:
    mine.deploy()
    mine.deploy({"a.css": "2", "index.html": "2"})


def with_a_neighbour(mine: Site, make_app) -> None:
    """Another app in the bucket, which is deleting some of its objects."""
    other = site(make_app(FILES, name="neighbour"), mine.bucket, **NEIGHBOUR)
    other.run("deploy")
    found, _ = releases_of(state_of(other.app).settings(), other.app.name)
    found.sweeps.begin(Sweep(secrets.token_hex(8), (), ("next/static/x",)), found.current().stand)


def with_a_change_behind_our_back(mine: Site) -> None:
    (key,) = (key for key in mine.bucket.keys("static/b.") if key != "static/b.png")
    mine.bucket.client.put_object(Bucket=mine.bucket.name, Key=key, Body=b"x")


def to_deploy(mine: Site, make_app) -> None:
    two_releases(mine)
    with_a_neighbour(mine, make_app)
    with_a_change_behind_our_back(mine)
    for name in ("a.css", "index.html"):
        (mine.static / name).write_text("3")


def to_plan(mine: Site, make_app) -> None:
    """A prune of the app's own died, too."""
    to_deploy(mine, make_app)
    own = folder_of("shop", "")
    sweep = Sweep(secrets.token_hex(8), (), ())
    mine.bucket.client.put_object(
        Bucket=mine.bucket.name, Key=f"{own}sweeps/{sweep.id}.json", Body=sweep_to_json(sweep)
    )


@dataclass(frozen=True)
class Story:
    """What somebody does who may do what `flask s3 policy` prints.

    Attributes:
        options: of the command.
        prepare: what happened before, by somebody who may do anything.
        act: does it; returns whether all of it worked.
        spared: what it does without here: an action, and the statement's id.
        servers: which enforce what is printed; all of them are tried with the whole policy, the
            first with each thing taken away.
    """

    options: tuple[str, ...]
    prepare: Callable[[Site, Any], None]
    act: Callable[[Site], bool]
    spared: frozenset[tuple[str, str]] = frozenset()
    servers: tuple[str, ...] = ("seaweedfs", "ministack")


def runs(*commands: tuple[str, ...]) -> Callable[[Site], bool]:
    """Runs commands, up to the first that fails."""

    def act(mine: Site) -> bool:
        runner = mine.app.test_cli_runner()
        return all(not runner.invoke(s3, list(command)).exit_code for command in commands)

    return act


def serves(mine: Site) -> bool:
    """Makes a URL by the manifest in the bucket, as the app does when it has started."""
    state_of(mine.app).forget()
    try:
        with mine.app.test_request_context():
            url = url_for("static", filename="a.css")
            return re.search(r"/static/a\.[0-9a-f]+\.css$", url) is not None
    except FlaskS3Error:
        return False


def sets_up(mine: Site) -> bool:
    """Sets up a new bucket, in each way, once also where it encrypts with KMS; then undoes it."""
    bucket, kms = mine.bucket, {"SSEAlgorithm": "aws:kms"}
    encryption = {"Rules": [{"ApplyServerSideEncryptionByDefault": kms}]}
    if not runs(("setup", "--yes"))(mine):
        return False
    bucket.client.put_bucket_encryption(
        Bucket=bucket.name, ServerSideEncryptionConfiguration=encryption
    )
    return runs(("setup", "--access", "acl", "--sse-s3", "--yes"), ("setup", "--undo", "--yes"))(
        mine
    )


def without_a_bucket(mine: Site, make_app) -> None:
    mine.bucket.client.delete_bucket(Bucket=mine.bucket.name)


STORIES = {
    "plan": Story(("--for", "plan"), to_plan, runs(("plan",), ("status",), ("releases",))),
    "deploy": Story(
        (),
        to_deploy,
        runs(("deploy", "--verify-remote"), ("rollback",)),
        frozenset({("s3:AbortMultipartUpload", "FlaskS3StaticFiles")}),
    ),
    "prune": Story(
        ("--for", "prune"), to_deploy, runs(("prune", "--keep", "1", "--older-than", "0s"))
    ),
    "destroy": Story(
        ("--for", "prune"), to_deploy, runs(("destroy", "--yes", "--confirm", "shop"))
    ),
    "serve": Story(("--for", "bucket-manifest"), to_deploy, serves),
    "setup": Story(
        ("--for", "setup"),
        without_a_bucket,
        sets_up,
        frozenset({("s3:GetAccountPublicAccessBlock", "FlaskS3Account")}),
        ("ministack",),
    ),
    "purge": Story(
        ("--for", "purge"),
        lambda *_: None,
        runs(("purge", "/static/a.css", "--wait")),
        servers=("ministack",),
    ),
}


@pytest.fixture
def begun(request, new_bucket, make_app, monkeypatch) -> Callable[[Story, str], Site]:
    """Begins a story on a server: an app and its bucket."""

    def begin(story: Story, name: str) -> Site:
        monkeypatch.setattr(carry_out, "PATIENCE", ())
        server = request.getfixturevalue(name)
        config = {}
        if "purge" in story.options:
            config["FLASKS3_CLOUDFRONT_DISTRIBUTION"] = distribution(server)
            config["FLASKS3_CDN_DOMAIN"] = "cdn.example.com"
            monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", server.endpoint)
        mine = site(make_app(FILES), new_bucket(server).create(), **config)
        story.prepare(mine, make_app)
        return mine

    return begin


def distribution(server: Server) -> str:
    """The id of a new distribution of CloudFront's."""
    origin = {"Id": "bucket", "DomainName": "b.s3.amazonaws.com"}
    config = {
        "CallerReference": secrets.token_hex(8),
        "Comment": "",
        "Enabled": True,
        "Origins": {
            "Quantity": 1,
            "Items": [{**origin, "S3OriginConfig": {"OriginAccessIdentity": ""}}],
        },
        "DefaultCacheBehavior": {"TargetOriginId": "bucket", "ViewerProtocolPolicy": "https-only"},
    }
    cloudfront = servers._client("cloudfront", **server._arguments())
    return cloudfront.create_distribution(DistributionConfig=config)["Distribution"]["Id"]


CASES = [(name, server) for name, story in STORIES.items() for server in story.servers]


@pytest.mark.parametrize(("name", "server"), CASES)
def test_what_is_printed_lets_all_of_the_work_be_done(name, server, begun):
    story = STORIES[name]
    mine = begun(story, server)

    mine.app.config.update(as_user(mine.bucket, printed(mine, *story.options)))

    assert story.act(mine)


@pytest.mark.parametrize(
    "name", [name for name in STORIES if name != "destroy"]
)  # of the same policy as prune
def test_each_thing_that_is_printed_is_needed(name, begun):
    story = STORIES[name]
    superfluous, number, total = set(), 0, 1
    while number < total:
        mine = begun(story, story.servers[0])
        each = list(one_less(printed(mine, *story.options)))
        less, number, total = each[number], number + 1, len(each)
        mine.app.config.update(as_user(mine.bucket, less.policy))
        if story.act(mine):
            superfluous.add((less.action, less.sid))

    assert total > 1
    assert superfluous == story.spared


def test_setup_for_cloudfront_may_look_at_the_distribution(begun, monkeypatch):
    mine = begun(STORIES["purge"], "ministack")
    setup = ("setup", "--access", "cloudfront", "--dry-run")
    for less in one_less(printed(mine, "--for", "setup")):
        if less.action == "cloudfront:GetDistribution":
            mine.app.config.update(as_user(mine.bucket, less.policy))
            assert "grant cloudfront:GetDistribution" in mine.run(*setup).stderr

    mine.app.config.update(mine.bucket.config)
    mine.app.config.update(as_user(mine.bucket, printed(mine, "--for", "setup")))

    assert "GetDistribution" not in mine.run(*setup).stderr


# -- what the servers at hand do not enforce: by what is really sent


def actions_of(request: Seen) -> set[str]:
    """What AWS asks for one request on an object, by the pages of the Amazon S3 API Reference."""
    needed, headers = set(), request.headers
    if request.method in {"GET", "HEAD"}:
        needed.add("s3:GetObject")
    elif request.method == "DELETE":
        assert "uploadId" in request.query
        needed.add("s3:AbortMultipartUpload")
    else:
        needed.add("s3:PutObject")
    if "x-amz-acl" in headers:
        needed.add("s3:PutObjectAcl")
    if "x-amz-tagging" in headers:
        needed.add("s3:PutObjectTagging")
    if "x-amz-copy-source" in headers:
        needed |= {"s3:GetObject", "s3:GetObjectTagging"}  # of a source with tags
    return needed


def test_what_a_deploy_sends_with_acls_tags_and_large_files_is_what_is_allowed(
    weed_bucket, make_app
):
    headers = {"x-amz-tagging": "team=shop"}
    mine = site(make_app(FILES), weed_bucket, FLASKS3_HEADERS=headers)
    large = mine.static / "large.bin"
    with Proxy(weed_bucket.server.endpoint) as proxy:
        mine.app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        mine.run("deploy")
        large.write_bytes(bytes(PART_BYTES + 1))
        proxy.rule("POST", "/static/large", Answer(403, "AccessDenied"), turns=[2, 4])
        mine.run("deploy", code=1)
        seen = proxy.seen(path="^/[^/]+/static/.")

    (statement,) = (
        one
        for one in printed(mine, "--access", "acl")["Statement"]
        if one["Sid"] == "FlaskS3StaticFiles"
    )
    assert set.union(*map(actions_of, seen)) == set(statement["Action"])
