"""What the PyTorch image does where the user's module has no function of its own: TorchScript, tensors in and out."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from serving import codec

MODEL = "model.pt"
_ENDINGS = (".pt", ".pth")


def model_fn(model_dir: str) -> Any:
    """The TorchScript model of model.pt, or of the only .pt or .pth file there is."""
    path = Path(model_dir) / MODEL
    if not path.exists():
        found = sorted(one for one in Path(model_dir).iterdir() if one.is_file() and one.suffix in _ENDINGS)
        if len(found) != 1:
            names = [one.name for one in found]
            raise ValueError(f"Exactly one .pth or .pt file is required for PyTorch models: {names}")
        path = found[0]
    try:
        model = torch.jit.load(str(path), map_location=device())
    except RuntimeError as error:
        raise ValueError(f"Failed to load {path}. Please ensure model is saved using torchscript.") from error
    return model.to(device()).eval()


def input_fn(body: str | bytes, content_type: str) -> Any:
    """The body as a tensor: float32 from JSON and CSV, the array's own type from NPY."""
    array = codec.decode(body, content_type)
    if codec.base_type(content_type) in (codec.JSON, codec.CSV):
        return torch.as_tensor(np.asarray(array, dtype=np.float32)).to(device())
    return torch.from_numpy(array).to(device())


def predict_fn(data: Any, model: Any) -> Any:
    """The model's output, without gradients."""
    with torch.no_grad():
        return model.to(device()).eval()(data.to(device()))


def output_fn(prediction: Any, accept: str) -> tuple[str | bytes, str]:
    """The prediction as JSON, CSV or NPY: the first of these in `accept`."""
    if isinstance(prediction, torch.Tensor):
        prediction = prediction.detach().cpu().numpy().tolist()
    return codec.encode(prediction, accept)


def device() -> Any:
    """Where models run: the graphics card if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
