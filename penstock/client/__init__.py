"""A stage as its users see it: the API, the bucket and the run going on. The command line and the demo share it."""
