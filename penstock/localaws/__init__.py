"""AWS on this machine: MiniStack with our SageMaker and Glue execution, in one process on 127.0.0.1."""
