"""From a checkout to a running stage and back: foundation, code, Chalice, smoke test; and taking it all away."""
