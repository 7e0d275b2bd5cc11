"""Batch transform: a model server, the records of a prefix, and one answer a record in the same order."""
