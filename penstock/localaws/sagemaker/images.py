"""Which container images this machine stands in for: AWS's framework images in script mode, on the venv's Python."""

import re
from dataclasses import dataclass

from penstock.localaws.sagemaker.faults import client_error

_URI = re.compile(r"(?:[^/]+/)*(?P<repository>[a-zA-Z0-9._-]+?)(?::(?P<tag>[\w.-]+))?(?:@sha256:[0-9a-f]+)?")


@dataclass(frozen=True)
class Image:
    """A framework image; `module` is what SM_FRAMEWORK_MODULE says in it."""

    repository: str
    framework: str
    module: str


_IMAGES = {
    image.repository: image
    for image in (
        Image("sagemaker-scikit-learn", "sklearn", "sagemaker_sklearn_container.training:main"),
        Image("sagemaker-xgboost", "xgboost", "sagemaker_xgboost_container.training:main"),
        Image("pytorch", "pytorch", "sagemaker_pytorch_container.training:main"),
        Image("pytorch-training", "pytorch", "sagemaker_pytorch_container.training:main"),
        Image("pytorch-inference", "pytorch", "sagemaker_pytorch_serving_container"),
    )
}


def known() -> list[str]:
    """The repositories of the images there are."""
    return sorted(_IMAGES)


def find(uri: str) -> Image:
    """The image of an address in any registry and region; JobFault, as for an image that cannot be pulled."""
    matched = _URI.fullmatch(uri)
    image = _IMAGES.get(matched["repository"]) if matched else None
    if image is None:
        raise client_error(
            f"Cannot pull image {uri}: the embedded AWS has no Docker and stands in for these repositories only: "
            f"{', '.join(known())}. Use one of them in script mode, or ContainerEntrypoint with one of them."
        )
    return image
