"""A fitted random forest as plain arrays: kept without pickle, walked by scikit-learn's own compiled tree.

A depth-first tree's left child is the next node: feature, threshold, right child and the leaf's class shares say all.
Few distinct shares occur in leaves: they are kept once. Predictions equal `RandomForestClassifier.predict_proba`.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from learners.fast_forest import Walk
from learners.problem import Floats

FEW = 8  # rows up to which all trees are walked in one call
_LEAF = -1


class Forest:
    """Trees ready to walk. `shares` are the distinct class shares of leaves, `which` picks one for every node."""

    def __init__(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self._arrays = arrays
        self._shares, self._which = arrays["shares"], arrays["which"]
        sizes = arrays["sizes"]
        self._starts = np.cumsum(sizes) - sizes

    @classmethod
    def of(cls, fitted: Any) -> "Forest":
        """Return the forest a fitted RandomForestClassifier is."""
        trees = [estimator.tree_ for estimator in fitted.estimators_]
        leaves = [tree.children_left == _LEAF for tree in trees]
        for tree, leaf in zip(trees, leaves, strict=True):
            if not np.array_equal(tree.children_left[~leaf], np.flatnonzero(~leaf) + 1):
                raise AssertionError(
                    "the trees were not built depth first: a left child is not the next node"
                )
        values = np.concatenate(
            [tree.value[:, 0, :] * leaf[:, None] for tree, leaf in zip(trees, leaves, strict=True)]
        )
        shares, which = np.unique(values, axis=0, return_inverse=True)
        return cls(
            {
                "sizes": np.array([tree.node_count for tree in trees], np.int64),
                "features": np.array([fitted.n_features_in_], np.int64),
                "feature": np.concatenate([tree.feature for tree in trees]).astype(np.int32),
                "threshold": np.concatenate([tree.threshold for tree in trees]),
                "right": np.concatenate([tree.children_right for tree in trees]).astype(np.int32),
                "shares": shares,
                "which": which.reshape(-1).astype(np.int32),
            }
        )

    def predict(self, matrix: Any) -> Floats:
        """Return (rows, classes) mean shares; `matrix` is float32, dense or CSR."""
        which, shares = self._which, self._shares
        if 0 < matrix.shape[0] <= FEW:
            found: Floats = np.add.reduce(shares[which[self._walk.leaves(matrix)]], axis=1)
            return found / len(self._starts)
        total = np.zeros((matrix.shape[0], shares.shape[1]))
        for start, tree in zip(self._starts, self._trees, strict=True):
            total += shares[which[start + tree.apply(matrix)]]
        total /= len(self._trees)
        return total

    @cached_property
    def _walk(self) -> Walk:
        return Walk(self._arrays)

    @cached_property
    def _trees(self) -> list[Any]:
        """One by one for many rows; a server that is asked for few never makes them."""
        sizes = self._arrays["sizes"]
        return [_tree(self._arrays, start, size) for start, size in zip(self._starts, sizes, strict=True)]

    def spread(self, present: Sequence[int], classes: int) -> "Forest":
        """Return the forest with `classes` columns: the k-th present class in its place, 0 in the others'."""
        shares = np.zeros((len(self._shares), classes))
        shares[:, list(present)] = self._shares
        return Forest({**self._arrays, "shares": shares})

    def save(self, path: Path) -> None:
        """Write the arrays."""
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **self._arrays)

    @classmethod
    def load(cls, path: Path) -> "Forest":
        """Return the forest `save` wrote; objects in the file are refused."""
        with np.load(path, allow_pickle=False) as file:
            forest = cls({name: file[name] for name in file.files})
        _ = forest._walk  # the first request should not wait for it
        return forest


def importances(fitted: Any, names: Sequence[str]) -> list[tuple[str, float]]:
    """Return each term's share of the forest's gain, largest first."""
    gains = fitted.feature_importances_
    order = np.argsort(-gains, kind="stable")
    return [(names[place], float(gains[place])) for place in order]


def _tree(arrays: dict[str, npt.NDArray[Any]], start: int, size: int) -> Any:
    from sklearn.tree._tree import NODE_DTYPE, Tree  # noqa: PLC0415 - a second to import: only to walk

    part = slice(start, start + size)
    right = arrays["right"][part]
    nodes = np.zeros(size, NODE_DTYPE)
    nodes["right_child"] = right
    nodes["left_child"] = np.where(right == _LEAF, _LEAF, np.arange(1, size + 1))
    nodes["feature"], nodes["threshold"] = arrays["feature"][part], arrays["threshold"][part]
    tree = Tree(int(arrays["features"][0]), np.array([1], np.intp), 1)
    # The shares are kept aside, so a tree's own values are one zero a node.
    tree.__setstate__({"max_depth": 0, "node_count": size, "nodes": nodes, "values": np.zeros((size, 1, 1))})
    return tree
