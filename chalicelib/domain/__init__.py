"""Pure values and decisions, standard library only: nothing here reads, writes, waits or knows AWS's clients."""
