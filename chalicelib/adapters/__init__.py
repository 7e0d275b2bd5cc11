"""One AWS service a file, each behind a port. boto3 lives here and in wiring.py, and nowhere else."""
