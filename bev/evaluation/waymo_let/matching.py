"""Maximum-weight matching with the official implementation's choice among equals, compiled.

The optimum is found by growing trees of tight edges (Kuhn 1955, Munkres 1957). Among assignments of one total weight
the official program ends with the one that its order of rows and columns leads to; headings, levels and no-label zones
of equal pairs then decide counts. So rows are rooted in ascending order, a tree takes the column that it reached first,
and columns are reached row by row, in ascending order.

Shapes: n rows and columns of a square problem, P predictions (rows), G ground truths (columns).
"""

from __future__ import annotations

import numpy as np

from bev.geometry.compiled import jit


@jit
def _reach(row, place, weight, row_label, column_label, frontier, parent, reached, count):
    """Adds the columns that tight edges join to a row to the frontier; returns its new size."""
    for column in range(len(weight)):
        if not reached[column] and row_label[row] + column_label[column] == weight[row, column]:
            frontier[count], parent[count] = column, place
            reached[column] = True
            count += 1
    return count


@jit
def _relax(rows, number, weight, row_label, column_label, taken):
    """Changes labels by the least amount that makes an edge from the tree to a column outside of it tight."""
    slack = np.iinfo(np.int64).max
    for k in range(number):
        for column in range(len(weight)):
            if not taken[column]:
                slack = min(slack, row_label[rows[k]] + column_label[column] - weight[rows[k], column])
    for k in range(number):
        row_label[rows[k]] -= slack
    for column in range(len(weight)):
        if taken[column]:
            column_label[column] += slack


@jit
def _augment(rows, columns, parents, number, of_row, of_column):
    """Matches the tree's last column and exchanges the edges on the way back to its root."""
    column = columns[number - 1]
    for k in range(number - 1, -1, -1):
        if columns[k] == column:
            row = rows[parents[k]]
            previous = of_row[row]
            of_row[row], of_column[column] = column, row
            column = previous


@jit
def _grow(root, weight, row_label, column_label, of_column, rows, columns, parents):
    """Grows a tree from a row until it holds a column that isn't matched; returns its number of columns."""
    n = len(weight)
    taken, reached = np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_)
    frontier, parent = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    rows[0], number, following = root, 0, 0
    count = _reach(root, 0, weight, row_label, column_label, frontier, parent, reached, 0)
    while True:
        if number == count:
            _relax(rows, number + 1, weight, row_label, column_label, taken)
            reached[:] = False
            count, following = 0, 0
            for k in range(number + 1):
                count = _reach(rows[k], k, weight, row_label, column_label, frontier, parent, reached, count)
        while taken[frontier[following]]:
            following += 1
        column = frontier[following]
        taken[column] = True
        columns[number], parents[number] = column, parent[following]
        number += 1
        if of_column[column] < 0:
            return number
        rows[number] = of_column[column]
        count = _reach(rows[number], number, weight, row_label, column_label, frontier, parent, reached, count)


@jit
def assign(weight):
    """The column of every row: a maximum-weight perfect assignment.

    Args:
        weight: (n, n) int64, not negative.

    Returns:
        (n,) int64.
    """
    n = len(weight)
    row_label, column_label = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    for row in range(n):
        row_label[row] = weight[row].max()
    of_row, of_column = np.full(n, -1), np.full(n, -1)
    rows, columns, parents = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    for root in range(n):
        number = _grow(root, weight, row_label, column_label, of_column, rows, columns, parents)
        _augment(rows, columns, parents, number, of_row, of_column)
    return of_row


@jit
def _forced(allowed, weight, match):
    """Fills in the matching where no prediction and no ground truth has two candidates; False if one has."""
    used = np.zeros(allowed.shape[1], dtype=np.bool_)
    for i in range(len(allowed)):
        match[i] = -1
        for j in range(allowed.shape[1]):
            if allowed[i, j]:
                if match[i] >= 0 or used[j] or weight[i, j] == 0:
                    return False
                match[i], used[j] = j, True
    return True


@jit
def match_pairs(allowed, weight):
    """The ground truth of every prediction, or -1.

    Args:
        allowed: (P, G) bool pairs that may be matched.
        weight: (P, G) int64, 0 where a pair isn't allowed.

    Returns:
        (P,) int64.
    """
    found, truth = weight.shape
    match = np.full(found, -1)
    if not found or not truth or _forced(allowed, weight, match):
        return match
    size = max(found, truth)
    square = np.zeros((size, size), dtype=np.int64)
    square[:found, :truth] = weight
    chosen = assign(square)
    for i in range(found):
        match[i] = chosen[i] if chosen[i] < truth and allowed[i, chosen[i]] else -1
    return match
