"""What runs in Lambda: the steps of the pipeline, the values they decide with, and the doors to AWS."""
