"""When vertices may go through their lists side by side, with the bits of one after another."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from umapinfo.core.calendar import PART
from umapinfo.core.lists import Lists
from umapinfo.core.timetable import all_at_once, fill_begins, timetable

N = 7
updates = st.lists(st.tuples(st.integers(0, N - 1), st.booleans()), min_size=1, max_size=6)  # tail, and is it a pull
parts = st.lists(st.lists(updates, max_size=3), min_size=1, max_size=2)  # heads are 0, 1, 2, ...


def lists_of(parts):
    """Lists of parts, each of vertices, each with its updates."""
    vertices, starts = np.zeros((len(parts), PART), np.int32), np.zeros((len(parts), PART + 1), np.int64)
    flat, head = [], 0
    for r, part in enumerate(parts):
        for v, updates in enumerate(part):
            vertices[r, v], starts[r, v] = head, len(flat)
            flat += [~tail if pull else tail for tail, pull in updates]
            starts[r, v + 1], head = len(flat), head + 1
        flat += [0, 0]  # places that hold nothing
    sizes = np.array([len(part) for part in parts], np.int32)
    return Lists(sizes, vertices, np.zeros_like(starts, np.int32), starts, np.array(flat, np.int32))


def reads_and_writes(head, updates, begin, every_tail):
    """What a vertex reads and writes, as (vertex, step): itself first, and where it ends."""
    reads = [(tail, begin + k) for k, (tail, _) in enumerate(updates)]
    writes = [read for read, (_, pull) in zip(reads, updates, strict=True) if pull or every_tail]
    return [(head, begin), *reads], [*writes, (head, begin + len(updates) - 1)]


def comes_after(before, reads, writes):
    """Whether all that was read and written before is seen and kept: what a step writes, it writes after all reads."""
    return all(
        all(step < other for seen, step in written for read, other in reads if seen == read)
        and all(step < other for seen, step in written for write, other in writes if seen == write)
        and all(step <= other for seen, step in read_before for write, other in writes if seen == write)
        for read_before, written in before
    )


@given(parts=parts, every_tail=st.booleans(), mark=st.integers(0, 5), data=st.data())
def test_begins__are_the_first_steps_at_which_nothing_comes_too_early(parts, every_tail, mark, data):
    lists, before, n_steps = lists_of(parts), [], 0
    begins, older = np.full((len(parts), PART), -1, np.int32), st.lists(st.integers(0, mark), min_size=2, max_size=2)
    marks = np.array(data.draw(st.lists(older, min_size=N, max_size=N)), np.int32)  # of calls before, which are over
    cut = data.draw(
        st.integers(0, len(parts))
    )  # parts of two calls, the latter of which begin when the former are over
    after = fill_begins(lists, 0, cut, every_tail, marks, mark, begins)
    found = after + fill_begins(lists, cut, len(parts), every_tail, marks, mark + after, begins)
    for r, part in enumerate(parts):
        for v, updates in enumerate(part):
            head, first = int(lists.vertices[r, v]), after if r >= cut else 0
            begin = first + int(begins[r, v])
            assert begin >= first
            assert comes_after(before, *reads_and_writes(head, updates, begin, every_tail))
            assert begin == first or not comes_after(before, *reads_and_writes(head, updates, begin - 1, every_tail))
            before.append(reads_and_writes(head, updates, begin, every_tail))
            n_steps = max(n_steps, begin + len(updates))
    assert found == n_steps


@given(parts=parts, data=st.data())
def test_timetable__has_the_vertices_as_they_come_and_as_they_go(parts, data):
    lists, begins, first = (
        lists_of(parts),
        np.zeros((len(parts), PART), np.int32),
        data.draw(st.integers(0, len(parts))),
    )
    expected = []
    for r in range(first, len(parts)):
        for v, updates in enumerate(parts[r]):
            begins[r, v] = data.draw(st.integers(0, 9))
            step = int(begins[r, v])
            expected.append((step, int(lists.vertices[r, v]), int(lists.starts[r, v]), step + len(updates) - 1))
    table = timetable(lists, first, len(parts), begins)
    found = zip(table.begins.tolist(), table.vertices.tolist(), table.starts.tolist(), table.ends.tolist(), strict=True)
    assert list(found) == sorted(expected, key=lambda vertex: vertex[0])  # ties in the order of the lists
    assert sorted(table.leaving.tolist()) == list(range(len(expected)))
    assert (np.diff(table.ends[table.leaving]) >= 0).all()


@given(parts=parts)
def test_all_at_once__is_the_timetable_in_which_all_vertices_begin_at_once(parts):
    lists, nought = lists_of(parts), np.zeros((len(parts), PART), np.int32)
    for r in range(len(parts)):
        for found, expected in zip(all_at_once(lists, r), timetable(lists, r, r + 1, nought), strict=True):
            np.testing.assert_array_equal(found, expected)
            assert found.dtype == expected.dtype  # else what takes either is compiled twice
