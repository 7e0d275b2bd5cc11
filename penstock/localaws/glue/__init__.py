"""Glue job runs on this machine: the job's own script, in a supervised process."""

from penstock.localaws.glue.runner import GlueRunner

__all__ = ["GlueRunner"]
