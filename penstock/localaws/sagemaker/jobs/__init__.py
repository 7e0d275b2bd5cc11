"""Training and processing jobs: what is asked for, how a job lives, what its container sees, what it leaves."""
