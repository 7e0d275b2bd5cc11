"""Dropped files to a dataset: what Prepare is made of. Pure `Table → Table` functions, and two engines to run them."""
