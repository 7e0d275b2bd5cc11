"""What Glue's own library offers to scripts without Spark: `utils.getResolvedOptions`."""
