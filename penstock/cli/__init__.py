"""The command line: one word a file, named like the step or the thing it is about."""
