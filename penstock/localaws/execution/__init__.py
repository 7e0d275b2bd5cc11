"""Processes of jobs and endpoints: supervised, in their own /opt/ml, with their lines in CloudWatch Logs."""
