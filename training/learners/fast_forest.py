"""All trees of a forest in one walk, for a few rows: asking each tree costs a call, and a call more than the walk.

The trees hang below nodes that look at one feature more, the tree's number; a row goes in once for each tree, with that
number as its last value. The walk and its comparisons are scikit-learn's own, so every row ends in the same leaf.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

_LEAF = -1


class Walk:
    """The leaves of a few rows. `sizes` are the trees' nodes, the arrays hold one tree after the other."""

    def __init__(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self._count = len(arrays["sizes"])
        self._features = int(arrays["features"][0])
        self._numbers = np.arange(self._count, dtype=np.float32)
        self._tree = _merged(arrays, self._features)

    def leaves(self, matrix: Any) -> npt.NDArray[np.int64]:
        """Return (rows, trees) the place of each leaf in the arrays; `matrix` is float32, dense or CSR."""
        rows = [self._leaves(*_entries(matrix, row)) for row in range(matrix.shape[0])]
        return np.stack(rows)

    def _leaves(self, columns: Any, values: Any) -> Any:
        from scipy.sparse import csr_matrix  # noqa: PLC0415 - scikit-learn has imported it

        at = np.empty((self._count, len(columns) + 1), np.int32)
        what = np.empty(at.shape, np.float32)
        at[:, :-1], at[:, -1] = columns, self._features
        what[:, :-1], what[:, -1] = values, self._numbers
        copies = csr_matrix.__new__(csr_matrix)  # its constructor's checks take longer than the walk
        copies.indices, copies.data = at.reshape(-1), what.reshape(-1)
        copies.indptr = np.arange(0, at.size + 1, at.shape[1], dtype=np.int32)
        copies._shape = (self._count, self._features + 1)
        return self._tree.apply(copies) - (self._count - 1)


def _entries(matrix: Any, row: int) -> tuple[Any, Any]:
    if isinstance(matrix, np.ndarray):
        columns = np.flatnonzero(matrix[row])
        return columns, matrix[row, columns]
    part = slice(matrix.indptr[row], matrix.indptr[row + 1])
    return matrix.indices[part], matrix.data[part]


def _merged(arrays: dict[str, npt.NDArray[Any]], features: int) -> Any:
    from sklearn.tree._tree import NODE_DTYPE, Tree  # noqa: PLC0415 - a second to import: only to walk

    sizes, right = arrays["sizes"], arrays["right"].astype(np.int64)
    lead = len(sizes) - 1
    starts = lead + np.cumsum(sizes) - sizes
    nodes = np.zeros(lead + int(sizes.sum()), NODE_DTYPE)
    _lead(nodes, starts, features)
    trees, leaf = nodes[lead:], right == _LEAF
    trees["right_child"] = np.where(leaf, _LEAF, right + np.repeat(starts, sizes))
    trees["left_child"] = np.where(leaf, _LEAF, lead + np.arange(1, len(right) + 1))
    trees["feature"] = np.where(leaf, 0, arrays["feature"])
    trees["threshold"] = arrays["threshold"]
    tree = Tree(features + 1, np.array([1], np.intp), 1)
    values = np.zeros((len(nodes), 1, 1))
    tree.__setstate__({"max_depth": 0, "node_count": len(nodes), "nodes": nodes, "values": values})
    return tree


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
