"""What Glue scripts import from Glue itself, as far as scripts without Spark need it."""
