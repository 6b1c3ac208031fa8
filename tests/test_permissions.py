"""Permissions taken away one by one: each has its own sentence, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from commands import Ended
from conftest import Bucket
from proxy import Answer, Proxy
from steps import Site, site
from users import user

FILES = {"a.css": "a{}", "b.png": "b", "index.html": "<link rel=stylesheet href=a.css>"}
ALL = ("PutObject", "GetObject", "ListBucket", "DeleteObject")
DESTROY = ("destroy", "--yes", "--confirm", "shop")
PRUNE = ("prune", "--keep", "1", "--older-than", "0s")


def user_without(bucket: Bucket, action: str) -> dict[str, str]:
    """The keys of a user of ministack's who may do all that the docs ask for, but one thing."""
    actions = [f"s3:{one}" for one in (*ALL, "PutObjectAcl") if one != action]
    resources = [f"arn:aws:s3:::{bucket.name}", f"arn:aws:s3:::{bucket.name}/*"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": resources}],
    }
    return user(bucket.server, policy)


@dataclass(frozen=True)
class Grants:
    """What an app may do, which can be taken away."""

    site: Site
    take_away: Callable[[str], None]


# Method and path of the requests that need a grant.
NEEDED: dict[str, list[tuple[str, str]]] = {
    "PutObject": [("PUT", r"^/[^/]+/.")],
    "GetObject": [("GET|HEAD", r"^/[^/]+/.")],
    "ListBucket": [("GET|HEAD", r"^/[^/]+/?$")],
    "DeleteObject": [("POST", r"^/[^/]+/?$"), ("DELETE", r".")],
}


@pytest.fixture(params=["ministack", "a proxy before SeaweedFS"])
def grants(request: pytest.FixtureRequest, make_app, new_bucket) -> Iterator[Grants]:
    """An app, and what takes a grant away from it.

    ministack has users with policies. SeaweedFS knows coarser grants, so a proxy refuses for it.
    """
    with ExitStack() as stack:
        is_mini = request.param == "ministack"
        server = request.getfixturevalue("ministack" if is_mini else "seaweedfs")
        mine = site(make_app(FILES), new_bucket(server).create())

        def take(action: str) -> None:
            if is_mini:
                mine.app.config.update(user_without(mine.bucket, action))
                return
            proxy = stack.enter_context(Proxy(server.endpoint))
            for method, path in NEEDED[action]:
                proxy.rule(method, path, Answer(403, "AccessDenied"))
            mine.app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint

        yield Grants(mine, take)


def two_releases(mine: Site) -> tuple[str, str]:
    first = mine.deploy()
    return first, mine.deploy({"a.css": "2", "index.html": "2"})


def given_back(mine: Site) -> Site:
    mine.app.config.update(mine.bucket.config)
    return mine


def told(ended: Ended) -> str:
    """All that is said of the refusal, which is an error or a list of failures."""
    lines = [line for line in ended.stderr.splitlines() if line.startswith(("Error: ", "failed "))]
    assert lines, ended.stderr
    return "\n".join(lines)


GRANT = {
    "PutObject": "grant s3:PutObject on it",
    "GetObject": "s3:GetObject",
    "ListBucket": "s3:ListBucket",
    "DeleteObject": "grant s3:DeleteObject on it",
}
REFUSED = [
    ("PutObject", ("deploy",)),
    ("GetObject", ("deploy",)),
    ("ListBucket", ("deploy", "--verify-remote")),
    ("PutObject", ("rollback",)),
    ("GetObject", ("rollback",)),
    ("ListBucket", ("rollback",)),
    ("PutObject", PRUNE),
    ("GetObject", PRUNE),
    ("ListBucket", PRUNE),
    ("DeleteObject", PRUNE),
    ("PutObject", DESTROY),
    ("GetObject", DESTROY),
    ("ListBucket", DESTROY),
    ("DeleteObject", DESTROY),
    ("GetObject", ("status",)),
    ("ListBucket", ("status",)),
    ("GetObject", ("releases",)),
    ("ListBucket", ("releases",)),
]


@pytest.mark.parametrize(
    ("action", "command"), REFUSED, ids=[f"{a} {' '.join(c[:1])}" for a, c in REFUSED]
)
def test_a_command_without_a_grant_names_it_and_loses_nothing(grants, action, command):
    mine = grants.site
    first, second = two_releases(mine)
    (mine.static / "b.png").write_text("changed")
    before = mine.everything()
    grants.take_away(action)

    said = told(mine.run(*command, code=1))

    assert GRANT[action] in said
    assert "AccessDenied" in said
    given_back(mine)
    after = mine.everything()
    published = {key for key in before if not key.endswith("/current")}
    assert {key: after.get(key) for key in published} == {key: before[key] for key in published}
    if command != DESTROY:
        assert mine.in_force() == second
        assert mine.is_whole()
        assert mine.releases() == [second, first]
        assert mine.state()["sweep"] is None


@pytest.mark.parametrize(("action", "command"), REFUSED, ids=str)
def test_with_the_grant_back_the_command_works_and_the_app_is_whole(
    mini_bucket, make_app, action, command
):
    mine = site(make_app(FILES), mini_bucket)
    two_releases(mine)
    (mine.static / "b.png").write_text("changed")
    mine.app.config.update(user_without(mine.bucket, action))
    mine.run(*command, code=1)
    given_back(mine)

    mine.run(*command)

    if command == DESTROY:
        assert mini_bucket.keys(metadata=True) == []
    else:
        assert mine.is_whole()
        mine.deploy()
        assert mine.is_whole()


def test_status_needs_no_right_to_write_or_delete(grants):
    mine = grants.site
    two_releases(mine)
    grants.take_away("PutObject")

    assert "Changed   nothing" in mine.run("status").stdout
    assert len(mine.run("releases", "--json").json) == 2


def test_a_deploy_needs_no_right_to_delete(grants):
    mine = grants.site
    two_releases(mine)
    grants.take_away("DeleteObject")

    mine.deploy({"a.css": "3"})

    assert mine.is_whole()
    mine.run("rollback")
    assert mine.is_whole()


# -- the first deploy


@pytest.mark.parametrize("action", ["GetObject", "ListBucket"])
def test_a_first_deploy_without_the_right_to_look_names_what_is_missing(grants, action):
    """Without `ListBucket` what is not there may look forbidden: then there is no telling which."""
    mine = grants.site
    grants.take_away(action)

    said = told(mine.run("deploy", code=1))

    # These stores tell that what is not there is not, whoever asks; Amazon S3 says 403.
    both = "GetObject and s3:ListBucket" if action == "GetObject" else "ListBucket"
    assert f"grant s3:{both} on it" in said
    assert given_back(mine).bucket.keys(metadata=True) == []


def test_a_first_deploy_without_the_right_to_write_leaves_nothing(grants):
    mine = grants.site
    grants.take_away("PutObject")

    assert "grant s3:PutObject on it" in told(mine.run("deploy", code=1))

    assert given_back(mine).bucket.keys(metadata=True) == []
    mine.deploy()
    assert mine.is_whole()


def test_a_forced_first_deploy_that_may_only_write_publishes_and_says_what_is_missing(
    mini_bucket, make_app
):
    mine = site(make_app(FILES), mini_bucket)
    mine.app.config.update(user_without(mini_bucket, "GetObject"))

    said = mine.run("deploy", "--force").stderr

    assert "grant s3:GetObject and s3:ListBucket, so that only what changed has to be" in said
    assert {f"static/{name}" for name in FILES} <= set(mini_bucket.keys())


# -- the pointer


@pytest.mark.parametrize("release", ["first", "later"])
def test_a_refused_write_of_the_pointer_names_what_a_conditional_write_needs(
    mini_bucket, make_app, release
):
    """With If-Match, Amazon S3 wants s3:GetObject beside s3:PutObject."""
    mine = site(make_app(FILES), mini_bucket)
    before = mine.deploy() if release == "later" else None
    with Proxy(mini_bucket.server.endpoint) as proxy:
        proxy.rule("PUT", "/current$", Answer(403, "AccessDenied"))
        mine.app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        (mine.static / "a.css").write_text("2")
        said = told(mine.run("deploy", code=1))
        given_back(mine)

    assert "grant s3:PutObject on it" in said
    assert ("A write with If-Match needs s3:GetObject too." in said) is (release == "later")
    if before is not None:
        assert (mine.in_force(), mine.is_whole()) == (before, True)
        assert mini_bucket.get("static/a.css")["Body"] == b"a{}"
    mine.deploy()
    assert mine.is_whole()
