"""From a data file to a first project spec: what each column is, which one is the answer, and why we think so."""
