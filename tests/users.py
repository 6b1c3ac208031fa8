"""Users of a server who may do what a policy says, and nothing else: the server enforces it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import servers
from conftest import Bucket
from servers import Server

Policy = dict[str, Any]


def user(server: Server, policy: Mapping[str, Any]) -> dict[str, str]:
    """The settings that make an app act as a new user who has this policy alone."""
    iam = servers._client("iam", **server._arguments())
    name = f"user-{secrets.token_hex(6)}"
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="printed", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }


@dataclass(frozen=True)
class Less:
    """A policy from which one action on one resource was taken away."""

    sid: str
    action: str
    resource: str
    policy: Policy

    def __str__(self) -> str:
        return f"{self.action} on {self.resource} ({self.sid})"


def one_less(policy: Policy) -> Iterator[Less]:
    """Each policy that allows one thing less."""
    for number, statement in enumerate(policy["Statement"]):
        for action in statement["Action"]:
            for resource in statement["Resource"]:
                rest = deepcopy(policy)
                rest["Statement"][number : number + 1] = _without(statement, action, resource)
                yield Less(statement["Sid"], action, resource, rest)


def _without(statement: Policy, action: str, resource: str) -> list[Policy]:
    """What is left of a statement: the other actions, and the action on the other resources."""
    others = [one for one in statement["Action"] if one != action]
    elsewhere = [one for one in statement["Resource"] if one != resource]
    left = [{**statement, "Action": others}]
    left += [{**statement, "Sid": "Rest", "Action": [action], "Resource": elsewhere}]
    return [one for one in left if one["Action"] and one["Resource"]]


def as_user(bucket: Bucket, policy: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of somebody who reaches the bucket under this policy."""
    return {**bucket.config, **user(bucket.server, policy)}
