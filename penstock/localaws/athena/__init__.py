"""Athena's SQL on one machine: Trino's queries and Hive's statements over Glue's tables, computed by DuckDB.

Nothing here knows MiniStack: `penstock/localaws/extension/athena_queries.py` hands in a `World` (ports.py).
"""
