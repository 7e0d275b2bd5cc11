"""Glue jobs really run: the script, with its arguments, as a process of its own."""

from penstock.localaws.execution.place import Place
from penstock.localaws.glue.runner import GlueRunner

__all__ = ["GlueRunner", "Place"]
