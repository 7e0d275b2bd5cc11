"""What runs on your machine: the command line, the deployment, and the embedded AWS."""
