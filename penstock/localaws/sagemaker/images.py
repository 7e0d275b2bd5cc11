"""Which container images this machine stands in for, on the venv's Python, and what each does without a script."""

import difflib
import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from penstock.localaws.containers import blazingtext, xgboost
from penstock.localaws.sagemaker.faults import client_error

# Any registry, account and region: AWS's own images are in another account in nearly every region.
_URI = re.compile(r"(?:[^/]+/)*(?P<repository>[a-zA-Z0-9._-]+?)(?::(?P<tag>[\w.-]+))?(?:@sha256:[0-9a-f]+)?")
_TORCH_TRAINING, _TORCH_SERVING = (
    "sagemaker_pytorch_container.training:main",
    "sagemaker_pytorch_serving_container",
)


@dataclass(frozen=True)
class Image:
    """A framework image.

    Attributes:
        module: what SM_FRAMEWORK_MODULE says in it.
        algorithm: the package of `penstock.localaws.containers` that is the image's built-in algorithm: its `train`
            trains when no script is named, its `inference.py` serves a model without code. None: script mode only.
        metrics: what the algorithm reports by itself: name → regular expression.
        needs: modules it cannot do without; `extra` is the optional dependency that brings them.
        defaults: the module with the functions the model server takes where a model's own code has none; "": its own.
    """

    repository: str
    framework: str
    module: str
    algorithm: str | None = None
    metrics: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    extra: str = ""
    defaults: str = ""


def _xgboost(repository: str, module: str) -> Image:
    return Image(
        repository,
        "xgboost",
        module,
        algorithm="xgboost",
        metrics=xgboost.METRICS,
        defaults="penstock.localaws.containers.xgboost.script_serving",
    )


def _pytorch(repository: str, module: str) -> Image:
    """AWS's has PyTorch whatever the entry point does, so ours asks for it at once, with a clear message."""
    return Image(
        repository,
        "pytorch",
        module,
        needs=("torch",),
        extra="pytorch",
        defaults="serving.pytorch_defaults",
    )


_IMAGES = {
    image.repository: image
    for image in (
        Image(
            "sagemaker-scikit-learn",
            "sklearn",
            "sagemaker_sklearn_container.training:main",
            defaults="serving.sklearn_defaults",
        ),
        _xgboost("sagemaker-xgboost", "sagemaker_xgboost_container.training:main"),
        _xgboost("xgboost", xgboost.LEGACY),  # versions before 0.90-1: algorithm mode only, there
        Image(
            "blazingtext",
            "blazingtext",
            "",
            algorithm="blazingtext",
            metrics=blazingtext.METRICS,
            needs=blazingtext.NEEDS,
            extra="blazingtext",
        ),
        _pytorch("pytorch", _TORCH_TRAINING),  # unified, 2.12 and later
        _pytorch("pytorch-training", _TORCH_TRAINING),
        _pytorch("pytorch-inference", _TORCH_SERVING),
        _pytorch("pytorch-inference-graviton", _TORCH_SERVING),
        _pytorch("sagemaker-pytorch", _TORCH_TRAINING),  # up to 1.1
        Image("penstock-serving", "penstock", ""),
    )
}


def known() -> list[str]:
    """The repositories of the images there are."""
    return sorted(_IMAGES)


def exists(uri: str) -> bool:
    """Whether there is an image at this address, in any registry and region."""
    matched = _URI.fullmatch(uri)
    return matched is not None and matched["repository"] in _IMAGES


def metrics(uri: str) -> Mapping[str, str]:
    """What the image's algorithm reports by itself: name → regular expression; nothing of an unknown image."""
    matched = _URI.fullmatch(uri)
    image = _IMAGES.get(matched["repository"]) if matched else None
    return image.metrics if image else {}


def find(uri: str) -> Image:
    """The image of an address in any registry and region; JobFault, as for an image that cannot be pulled."""
    matched = _URI.fullmatch(uri)
    image = _IMAGES.get(matched["repository"]) if matched else None
    if image is None:
        raise client_error(
            f"Cannot pull image {uri}: the embedded AWS has no Docker and stands in for these repositories only: "
            f"{', '.join(known())}.{_hint(matched['repository'] if matched else uri)} Use one of them in script mode, "
            "or ContainerEntrypoint with one of them."
        )
    missing = [name for name in image.needs if importlib.util.find_spec(name) is None]
    if missing:
        raise client_error(
            f"Image {uri} needs {', '.join(missing)}, which is not installed on this machine: "
            f'pip install "penstock[{image.extra}]".'
        )
    return image


def _hint(repository: str) -> str:
    close = difflib.get_close_matches(repository, _IMAGES, n=1)
    return f" Did you mean {close[0]}?" if close else ""
