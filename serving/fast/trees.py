"""All trees of an ensemble walked in one call: scikit-learn's compiled walk over one tree made of all.

Asking a hundred trees costs a hundred calls, and a call costs more than the walk. Here the trees hang below nodes that
look at one feature more, the tree's number; a row goes in once for each tree, with that number. Thresholds stay float64
and the comparison is scikit-learn's own, so a row ends in the leaf it ends in with the original.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_LEAF = -1
_CHUNK = 4096  # copies of rows walked in one call: bounds memory


@dataclass(frozen=True)
class Arrays:
    """One tree. `left` and `right` are -1 at leaves; a row with a feature at most the threshold goes left.

    `missing` says where NaN goes left; `value` has a row of answers for every node.
    """

    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    feature: npt.NDArray[np.int64]
    threshold: Floats
    missing: npt.NDArray[np.bool_]
    value: Floats


class Trees:
    """An ensemble ready to walk."""

    def __init__(self, trees: Sequence[Arrays], features: int) -> None:
        self._count = len(trees)
        self.features = features
        self._tree = _merged(trees, features)
        inner = np.zeros((self._count - 1, trees[0].value.shape[1]))
        values = np.concatenate([inner, *(tree.value for tree in trees)])
        shares, which = np.unique(values, axis=0, return_inverse=True)  # few distinct ones occur in leaves
        self._shares, self._which = shares, which.reshape(-1).astype(np.int32)
        self._step = max(1, _CHUNK // self._count)
        self._numbers = np.arange(self._count, dtype=np.float32)

    def sums(self, rows: npt.NDArray[np.float32]) -> Floats:
        """Return for dense rows (n, features) the sum of the trees' values (n, answers), added in the trees' order."""
        if len(rows) <= self._step:
            return self._dense(rows)
        parts = range(0, len(rows), self._step)
        return np.concatenate([self._dense(rows[at : at + self._step]) for at in parts])

    def sums_of_sparse(self, rows: Sequence[tuple[Sequence[int], Sequence[float]]]) -> Floats:
        """Return the same for rows given as (columns, values)."""
        if len(rows) <= self._step:
            return self._sparse(rows)
        parts = range(0, len(rows), self._step)
        return np.concatenate([self._sparse(rows[at : at + self._step]) for at in parts])

    def _dense(self, rows: npt.NDArray[np.float32]) -> Floats:
        copies = np.empty((len(rows), self._count, self.features + 1), np.float32)
        copies[:, :, :-1] = rows[:, None, :]
        copies[:, :, -1] = self._numbers
        return self._summed(self._tree.apply(copies.reshape(-1, self.features + 1)), len(rows))

    def _sparse(self, rows: Sequence[tuple[Sequence[int], Sequence[float]]]) -> Floats:
        if len(rows) == 1:
            at, what = self._copies(*rows[0])
            starts = np.arange(0, at.size + 1, at.shape[1], dtype=np.int32)
            return self._walked(at.reshape(-1), what.reshape(-1), starts, 1)
        parts = [self._copies(columns, values) for columns, values in rows]
        ends = np.concatenate([np.full(self._count, columns.shape[1]) for columns, _ in parts]).cumsum()
        columns = np.concatenate([columns.reshape(-1) for columns, _ in parts])
        values = np.concatenate([values.reshape(-1) for _, values in parts])
        return self._walked(columns, values, np.concatenate([[0], ends]).astype(np.int32), len(rows))

    def _walked(self, columns: Any, values: Any, starts: Any, rows: int) -> Floats:
        matrix = _matrix()  # its constructor's checks take longer than the walk
        matrix.indices, matrix.data, matrix.indptr = columns, values, starts
        matrix._shape = (rows * self._count, self.features + 1)
        return self._summed(self._tree.apply(matrix), rows)

    def _copies(self, columns: Sequence[int], values: Sequence[float]) -> tuple[Any, Any]:
        at = np.empty((self._count, len(columns) + 1), np.int32)
        what = np.empty((self._count, len(columns) + 1), np.float32)
        at[:, :-1], at[:, -1] = columns, self.features
        what[:, :-1], what[:, -1] = values, self._numbers
        return at, what

    def _summed(self, leaves: Any, rows: int) -> Floats:
        found = self._shares[self._which[leaves]].reshape(rows, self._count, -1)
        total: Floats = np.add.reduce(found, axis=1)
        return total


@cache
def _csr_matrix() -> Any:
    from scipy.sparse import csr_matrix  # noqa: PLC0415 - for text only

    return csr_matrix


def _matrix() -> Any:
    kind = _csr_matrix()
    return kind.__new__(kind)


def _merged(trees: Sequence[Arrays], features: int) -> Any:
    from sklearn.tree._tree import NODE_DTYPE, Tree  # noqa: PLC0415 - a second to import

    inner = len(trees) - 1
    starts = inner + np.cumsum([0, *(len(tree.left) for tree in trees[:-1])])
    nodes = np.zeros(inner + sum(len(tree.left) for tree in trees), NODE_DTYPE)
    _lead(nodes, starts, features)
    for start, tree in zip(starts, trees, strict=True):
        part = nodes[start : start + len(tree.left)]
        leaf = tree.left == _LEAF
        part["left_child"] = np.where(leaf, _LEAF, tree.left + start)
        part["right_child"] = np.where(leaf, _LEAF, tree.right + start)
        part["feature"], part["threshold"] = np.where(leaf, 0, tree.feature), tree.threshold
        part["missing_go_to_left"] = tree.missing
    made = Tree(features + 1, np.array([1], np.intp), 1)
    state = {"max_depth": 0, "node_count": len(nodes), "nodes": nodes, "values": np.zeros((len(nodes), 1, 1))}
    made.__setstate__(state)
    return made


def _lead(nodes: Any, starts: Any, feature: int) -> None:
    """Fill the nodes before the trees: a balanced search for the tree's number."""
    free = 0
    todo = [(0, len(starts), -1, "left_child")]
    while todo:
        low, high, parent, side = todo.pop()
        place = int(starts[low]) if high - low == 1 else free
        if parent >= 0:
            nodes[side][parent] = place
        if high - low > 1:
            free += 1
            middle = (low + high) // 2
            nodes["feature"][place], nodes["threshold"][place] = feature, middle - 0.5
            todo += [(middle, high, place, "right_child"), (low, middle, place, "left_child")]
