"""Export a network to OpenVINO, compile it for this CPU, and cache the export on disk."""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.inference.device import Precision, refuse_float16
from models.inference.signal_stack import signal_stack_kept

if TYPE_CHECKING:
    import openvino

CpuPrecision = Literal["float32", "bfloat16"]
# Exporting R50 takes ten seconds, reading it back half a second. A file is 9 to 250 MB.
KEPT_EXPORTS = 8
_MODEL, _WEIGHTS, _CHECKSUM = "model.xml", "model.bin", "checksum"

log = logging.getLogger(__name__)


class OpenVinoNetwork:
    """A compiled network; one thread at a time may call it.

    Args:
        module: in eval mode; is not changed.
        example_inputs: tensors with the dtypes and shapes of every call.
        description: what distinguishes this module from others beside weights and shapes.
        precision: of the convolutions; auto is bfloat16 where the CPU computes in it.
        cache_dir: of exports; None keeps none.

    Raises:
        ValueError: if the CPU cannot compute in the precision.
    """

    def __init__(
        self,
        module: nn.Module,
        example_inputs: tuple[Tensor, ...],
        *,
        description: str,
        precision: Precision = "auto",
        cache_dir: Path | None = None,
    ) -> None:
        self.precision = select_cpu_precision(precision)
        with signal_stack_kept():
            self._request = self._compile(module, example_inputs, description, cache_dir)

    def __call__(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """Run the network on arrays like the example inputs; return a copy of the first output."""
        result = self._request.infer(list(inputs), share_inputs=True, share_outputs=True)
        return np.array(result[0])

    def _compile(
        self,
        module: nn.Module,
        example_inputs: tuple[Tensor, ...],
        description: str,
        cache_dir: Path | None,
    ) -> openvino.InferRequest:
        import openvino

        core = openvino.Core()

        def export() -> openvino.Model:
            return _export(module, example_inputs)

        if cache_dir is None:
            model = export()
        else:
            key = export_key(module, example_inputs, description)
            model = _read_or_export(core, cache_dir, key, export)
        settings = {
            # One clip at a time on all cores: two concurrently are no faster and twice as late.
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if self.precision == "bfloat16" else "f32",
        }
        return core.compile_model(model, "CPU", settings).create_infer_request()


class OpenVinoFile:
    """A network of a file (.xml, .onnx, .tflite), compiled for the CPU in float32.

    One thread at a time may call it.

    Args:
        path: of a network with one input of a fixed shape.

    Raises:
        ValueError: if OpenVINO cannot read it, or its input is not so.
    """

    def __init__(self, path: Path) -> None:
        import openvino

        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        with signal_stack_kept():
            try:
                model = openvino.Core().read_model(path)
                self.input_shape = tuple(int(side) for side in model.input().shape)
                compiled = openvino.Core().compile_model(model, "CPU", settings)
            except RuntimeError as error:
                cause = str(error).strip().rpartition("\n")[2]
                raise ValueError(f"{path} cannot be loaded by OpenVINO ({cause})") from error
            self._request = compiled.create_infer_request()

    def __call__(self, array: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run the network on an array of its input's shape; return copies of its outputs."""
        result = self._request.infer([array], share_inputs=True, share_outputs=True)
        return [np.array(value) for value in result.values()]


def nan_weights(model: Path) -> list[str]:
    """Return the names of an exported model's weights that hold NaN.

    Infinities are not looked for: exports have them as bounds and masks.

    Args:
        model: an .xml file of OpenVINO beside its .bin, or an .onnx file.

    Returns:
        Names of constants; none if this version of OpenVINO cannot read the file.
    """
    import openvino

    with signal_stack_kept():
        try:
            nodes = openvino.Core().read_model(model).get_ops()
        except RuntimeError:  # loading it for use reports what is wrong
            return []
        constants = [node for node in nodes if node.get_type_name() == "Constant"]
        real = [node for node in constants if node.get_element_type().is_real()]
        return [node.get_friendly_name() for node in real if np.isnan(node.get_data()).any()]


def select_cpu_precision(precision: Precision) -> CpuPrecision:
    """Resolve "auto": bfloat16 where the CPU computes in it, else float32.

    Raises:
        ValueError: if the CPU cannot compute in the precision.
    """
    import openvino

    refuse_float16(precision)
    with signal_stack_kept():
        # Without the instructions OpenVINO silently computes in float32.
        capabilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    has_bfloat16 = "BF16" in capabilities
    if precision == "bfloat16" and not has_bfloat16:
        raise ValueError("this CPU does not compute in bfloat16; use precision auto or float32")
    return "bfloat16" if has_bfloat16 and precision != "float32" else "float32"


def export_key(module: nn.Module, example_inputs: tuple[Tensor, ...], description: str) -> str:
    """Return a cache key: a hash of everything the export depends on.

    That is: the weights, the shapes and dtypes of the inputs, the description, the versions of
    PyTorch and OpenVINO, and every source file of `models`.
    """
    import openvino

    digest = hashlib.blake2b(digest_size=20)
    shapes = [(tuple(x.shape), str(x.dtype)) for x in example_inputs]
    header = (description, shapes, str(torch.__version__), openvino.__version__)
    digest.update(repr(header).encode())
    for source in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(source.read_bytes())
    for name, tensor in module.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _export(module: nn.Module, example_inputs: tuple[Tensor, ...]) -> openvino.Model:
    import openvino

    with warnings.catch_warnings():
        # It traces with torch.jit.trace, which PyTorch deprecates, and warns of
        # every check of a shape: shapes are fixed here.
        warnings.simplefilter("ignore")
        shapes = [list(x.shape) for x in example_inputs]
        return openvino.convert_model(module, example_input=example_inputs, input=shapes)


def _read_or_export(
    core: openvino.Core, cache_dir: Path, key: str, export: Callable[[], openvino.Model]
) -> openvino.Model:
    """Return the cached export or a new one; an error of the disk costs time, never the run."""
    folder = cache_dir / key
    if folder.is_dir():
        try:
            return _read(core, folder)
        except (OSError, ValueError, RuntimeError) as error:
            log.warning("%s is damaged (%s) and is made again", folder, error)
            shutil.rmtree(folder, ignore_errors=True)
    log.info("exporting the recognizer to OpenVINO, once for these weights and versions")
    model = export()
    try:
        _keep(model, folder)
        _delete_oldest(cache_dir)
    except (OSError, RuntimeError) as error:
        log.warning("cannot keep the export in %s (%s): every start makes it", folder, error)
    return model


def _read(core: openvino.Core, folder: Path) -> openvino.Model:
    if _checksum(folder) != (folder / _CHECKSUM).read_text():
        raise ValueError("its checksum differs")
    model = core.read_model(folder / _MODEL)
    folder.touch()  # its age is the time since its last use, see `_delete_oldest`
    return model


def _keep(model: openvino.Model, folder: Path) -> None:
    """Write into a temporary folder and rename it, so that no process reads half an export."""
    import openvino

    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=folder.parent))
    try:
        openvino.save_model(model, unfinished / _MODEL, compress_to_fp16=False)
        (unfinished / _CHECKSUM).write_text(_checksum(unfinished))
        if not folder.exists():  # else another process was faster
            unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _checksum(folder: Path) -> str:
    digest = hashlib.blake2b(digest_size=20)
    for name in (_MODEL, _WEIGHTS):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def _delete_oldest(cache_dir: Path) -> None:
    """Keep the exports used last; unfinished ones of a crash are deleted when they are old."""
    folders = sorted(
        (path for path in cache_dir.iterdir() if path.is_dir()),
        key=lambda path: path.stat().st_mtime,
        reverse=True,
    )
    for folder in folders[KEPT_EXPORTS:]:
        shutil.rmtree(folder, ignore_errors=True)
