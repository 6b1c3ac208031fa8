"""The order in which a graph's nodes can be named: what is referred to first, circles as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence


def circles(edges: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """Yields the strongly connected components, each after all those that it leads to.

    Nearly all are one node; nodes that lead to each other in a circle come together, sorted.

    Args:
        edges: each node, and what it leads to; what is no key of its own is left out.
    """
    # Tarjan, "Depth-First Search and Linear Graph Algorithms" (1972), with a stack of our own:
    # Python's is too short for a chain of a thousand modules.
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    on_path: dict[str, None] = {}
    for root in edges:
        if root in index:
            continue
        work: list[tuple[str, Iterator[str]]] = [(root, iter(edges[root]))]
        index[root] = low[root] = len(index)
        on_path[root] = None
        while work:
            node, others = work[-1]
            for other in others:
                if other not in edges:
                    continue
                if other not in index:
                    index[other] = low[other] = len(index)
                    on_path[other] = None
                    work.append((other, iter(edges[other])))
                    break
                if other in on_path:
                    low[node] = min(low[node], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    yield _popped(on_path, node)


def _popped(on_path: dict[str, None], node: str) -> tuple[str, ...]:
    members: list[str] = []
    while not members or members[-1] != node:
        members.append(on_path.popitem()[0])
    return tuple(sorted(members))
