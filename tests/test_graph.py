"""The order of naming: everything a file refers to comes before it, circles come as one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flask_s3.building.graph import circles

NODES = st.sampled_from("abcdefgh")
GRAPHS = st.dictionaries(NODES, st.lists(NODES, max_size=5))


def reachable(edges: dict[str, list[str]], node: str) -> set[str]:
    found: set[str] = set()
    pending = [node]
    while pending:
        for other in edges.get(pending.pop(), ()):
            if other not in found:
                found.add(other)
                pending.append(other)
    return found


@given(GRAPHS)
def test_each_node_comes_once_and_after_all_that_it_leads_to(edges):
    order = list(circles(edges))

    assert sorted(node for circle in order for node in circle) == sorted(edges)
    seen: set[str] = set()
    for circle in order:
        seen.update(circle)
        for node in circle:
            assert {other for other in edges[node] if other in edges} <= seen


@given(GRAPHS)
def test_nodes_come_together_exactly_when_each_leads_to_the_other(edges):
    place = {node: circle for circle in circles(edges) for node in circle}

    for one in edges:
        for other in edges:
            mutual = one == other or (
                other in reachable(edges, one) and one in reachable(edges, other)
            )
            # What is no key of its own leads nowhere, so reaching through it does not count.
            assert (place[one] is place[other]) == mutual


def test_a_chain_that_is_longer_than_pythons_stack_is_walked():
    edges = {str(n): [str(n + 1)] for n in range(50_000)}

    assert next(iter(circles(edges))) == ("49999",)
