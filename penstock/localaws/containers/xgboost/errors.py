"""Why a training ends without a model, in the two kinds SageMaker tells apart."""


class UserError(Exception):
    """The job's owner has to put something right: data, hyperparameters, channels. Shown as `ClientError: …`."""


class AlgorithmError(Exception):
    """The training itself went wrong. Shown as `AlgorithmError: …`."""


def reason(error: BaseException) -> str:
    """What belongs into /opt/ml/output/failure."""
    kind = "ClientError" if isinstance(error, UserError) else "AlgorithmError"
    known = isinstance(error, UserError | AlgorithmError)
    return f"{kind}: {error if known else f'{type(error).__name__}: {error}'}"
