"""Maximum-weight matching with the official implementation's choice among equals, compiled.

The optimum is found by growing trees of tight edges (Kuhn 1955, Munkres 1957). Among assignments of one total weight
the official program ends with the one that its order of rows and columns leads to; headings, levels and no-label zones
of equal pairs then decide counts. So rows are rooted in ascending order, a tree takes the column that it reached first,
and columns are reached row by row, in ascending order. All that is skipped where there are no equals.

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
def _solve(weight, row_label, column_label):
    """Column of every row and row of every column of a maximum-weight assignment; fills in its labels, (n,) each."""
    n = len(weight)
    for row in range(n):
        row_label[row] = weight[row].max()
    column_label[:] = 0
    of_row, of_column = np.full(n, -1), np.full(n, -1)
    rows, columns, parents = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    for root in range(n):
        number = _grow(root, weight, row_label, column_label, of_column, rows, columns, parents)
        _augment(rows, columns, parents, number, of_row, of_column)
    return of_row, of_column


@jit
def assign(weight):
    """The column of every row: a maximum-weight perfect assignment.

    Args:
        weight: (n, n) int64, not negative.

    Returns:
        (n,) int64.
    """
    return _solve(weight, np.empty(len(weight), dtype=np.int64), np.empty(len(weight), dtype=np.int64))[0]


@jit
def _has_equal(root, weight, row_label, column_label, of_row, of_column):
    """Whether an equally good assignment gives a row another column: a cycle of tight edges leads back to the row."""
    n = len(weight)
    seen, pending, number = np.zeros(n, dtype=np.bool_), np.empty(n, dtype=np.int64), 1
    pending[0] = root
    while number:
        number -= 1
        row = pending[number]
        for column in range(n):
            following = of_column[column]
            tight = row_label[row] + column_label[column] == weight[row, column]
            if tight and column != of_row[row] and not seen[following]:
                if following == root:
                    return True
                seen[following] = True
                pending[number] = following
                number += 1
    return False


@jit
def _component(start, allowed, of_rows, of_columns, number):
    """Marks the rows and columns that allowed pairs connect to a row with a number."""
    pending, count = np.empty(len(allowed), dtype=np.int64), 1
    pending[0], of_rows[start] = start, number
    while count:
        count -= 1
        row = pending[count]
        for column in range(allowed.shape[1]):
            if allowed[row, column] and of_columns[column] < 0:
                of_columns[column] = number
                for other in range(len(allowed)):
                    if allowed[other, column] and of_rows[other] < 0:
                        of_rows[other] = number
                        pending[count] = other
                        count += 1


@jit
def _match_parts(allowed, weight, match):
    """Matches parts that no allowed pair connects one by one; False if a part has two best matchings.

    The best matching of everything is made of the parts' best ones. Where each is the only one, the order of rows and
    columns decides nothing, and small problems are solved instead of a large one.
    """
    of_rows, of_columns = np.full(len(allowed), -1), np.full(allowed.shape[1], -1)
    number = 0
    for start in range(len(allowed)):
        if of_rows[start] >= 0:
            continue
        _component(start, allowed, of_rows, of_columns, number)
        rows, columns = np.flatnonzero(of_rows == number), np.flatnonzero(of_columns == number)
        number += 1
        if len(columns) and not _match_part(rows, columns, allowed, weight, match):
            return False
    return True


@jit
def _match_part(rows, columns, allowed, weight, match):
    """Matches some rows and columns; False if they have two best matchings."""
    size = max(len(rows), len(columns))
    square = _square(weight[rows][:, columns])
    row_label, column_label = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
    of_row, of_column = _solve(square, row_label, column_label)
    for i in range(len(rows)):
        for j in range(len(columns)):
            # The official program may or may not match a pair without weight.
            if allowed[rows[i], columns[j]] and square[i, j] == 0:
                return False
        j = of_row[i]
        if j < len(columns) and square[i, j] > 0:
            if _has_equal(i, square, row_label, column_label, of_row, of_column):
                return False
            match[rows[i]] = columns[j]
    return True


@jit
def _square(weight):
    """The matrix with rows or columns of zeros added."""
    size = max(weight.shape)
    square = np.zeros((size, size), dtype=np.int64)
    square[: weight.shape[0], : weight.shape[1]] = weight
    return square


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
    if not found or not truth or _match_parts(allowed, weight, match):
        return match
    chosen = assign(_square(weight))
    for i in range(found):
        match[i] = chosen[i] if chosen[i] < truth and allowed[i, chosen[i]] else -1
    return match
