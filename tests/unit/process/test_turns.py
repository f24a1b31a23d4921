"""Turns of clients, compared with a direct definition of fairness."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.models.process.turns import RoundRobin

Step = tuple[str, int]
STEPS = st.lists(st.tuples(st.sampled_from(["push", "pop", "discard"]), st.integers(0, 3)), max_size=60)


@given(STEPS)
def test_each_waiting_client_is_served_before_any_is_served_twice(steps: list[Step]) -> None:
    turns: RoundRobin[tuple[int, int]] = RoundRobin()
    waiting: list[tuple[int, int]] = []  # all items, in the order they came
    passed: dict[int, set[int]] = {}  # for each client in line: who was served since it came, or was served
    for number, (what, client) in enumerate(steps):
        if what == "push":
            turns.push(client, (client, number))
            waiting.append((client, number))
            passed.setdefault(client, set())
        elif what == "discard":
            turns.discard(lambda item, client=client: item[0] == client)
            waiting = [item for item in waiting if item[0] != client]
            passed.pop(client, None)
        elif not waiting:
            with pytest.raises(IndexError):
                turns.pop()
        else:
            item = turns.pop()
            assert item == next(one for one in waiting if one[0] == item[0]), "a client's own come in order"
            waiting.remove(item)
            for other, seen in passed.items():
                if other != item[0]:
                    assert item[0] not in seen, f"{item[0]} came twice while {other} waited"
                    seen.add(item[0])
            passed[item[0]] = set()
            if all(one[0] != item[0] for one in waiting):
                del passed[item[0]]
        assert len(turns) == len(waiting)
        for one in range(4):
            assert turns.others(one) == any(item[0] != one for item in waiting)
