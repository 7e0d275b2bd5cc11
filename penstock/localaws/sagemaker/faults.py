"""Why a job failed, in the words of FailureReason."""


class JobFault(Exception):
    """A step of a job cannot be done; the text becomes FailureReason."""


def client_error(text: str) -> JobFault:
    """What the job's owner has to put right: data, image, configuration."""
    return JobFault(f"ClientError: {text}")
