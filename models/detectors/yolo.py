"""Find people with an ultralytics YOLO in any weights format."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from models.detections import Detections
from models.detectors.ultralytics_import import import_ultralytics
from models.inference.fixed_batches import in_fixed_batches
from models.inference.openvino_network import nan_weights
from models.inference.signal_stack import signal_stack_kept

Image = NDArray[np.uint8]  # (H, W, 3) BGR

PERSON = "person"  # the class's name in COCO and in every data set derived from it
WARM_UP_SHAPE = (64, 64, 3)

LISTED_CLASSES = 100  # in an error; COCO has 80, and some data sets thousands

log = logging.getLogger(__name__)


class UnknownClassError(ValueError):
    """The detector's weights have no class of the name that people should have."""


class YoloPersonDetector:
    """YOLO weights as a person detector: images in, people out.

    The result for an image must not depend on the images beside it: on a CPU images are processed
    one by one, on a GPU in full batches of one shape. On CPUs this was measured bit by bit, on
    GPUs it was not measured.

    Args:
        weights: a file or folder that ultralytics loads: .pt, .onnx, an OpenVINO folder. A
            TensorRT .engine is handed to ultralytics as well, but none was ever tested.
        confidence: detections below it are dropped, in [0, 1].
        iou: of two boxes that overlap more than this, the less confident is dropped.
        image_size: longer side in pixels to which images are scaled. A static export has its
            own and keeps it.
        device: "cpu" or "cuda:N". Only .pt weights run on a GPU: OpenVINO folders run on the CPU
            always, .onnx with the CPU build of onnxruntime. `description` has the device in use.
        batch_size: images per call on a GPU.
        person_class: name of the class that is people, in any case.

    Raises:
        FileNotFoundError: if there are no such weights.
        UnknownClassError: if none of the classes has that name.
        ValueError: if they cannot be loaded.
    """

    def __init__(
        self,
        weights: Path | str,
        *,
        confidence: float,
        iou: float,
        image_size: int,
        device: str,
        batch_size: int,
        person_class: str = PERSON,
    ) -> None:
        weights = Path(weights)
        if not weights.exists():
            raise FileNotFoundError(f"no detector weights at {weights}")
        self._options = {"conf": confidence, "iou": iou, "imgsz": image_size, "device": device}
        self._load(weights)
        refuse_nan(weights, self._model.model)
        backend = self._model.predictor.model
        self._options["classes"] = [class_index(person_class, backend.names, weights)]
        on_gpu = backend.device.type == "cuda"
        self._batch_size = batch_size if on_gpu else 1
        sides = "x".join(str(side) for side in self._model.predictor.imgsz)
        self.description = f"YOLO {weights.name} ({backend.format}, {sides}, {backend.device})"
        if max(self._model.predictor.imgsz) != image_size:
            log.warning(
                "%s runs at %s pixels, not %d: an export has one size, others are multiples of 32",
                weights,
                sides,
                image_size,
            )

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Find the people of each image.

        Args:
            images: uint8 (H, W, 3) BGR, of any sizes.

        Returns:
            One Detections per image, the most confident person first.
        """
        by_shape: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for number, image in enumerate(images):
            by_shape[image.shape].append(number)
        found: dict[int, Detections] = {}
        for numbers in by_shape.values():
            same_shape = [images[number] for number in numbers]
            rows = in_fixed_batches(same_shape, self._batch_size, self._predict)
            for number, image_rows in zip(numbers, rows, strict=True):
                found[number] = to_detections(image_rows, images[number])
        return [found[number] for number in range(len(images))]

    def _load(self, weights: Path) -> None:
        """Load the weights and run them once, which shows whether they work."""
        try:
            with signal_stack_kept():  # an OpenVINO folder changes it
                self._model = import_ultralytics().YOLO(str(weights), task="detect")
                self._predict([np.zeros(WARM_UP_SHAPE, np.uint8)])
        except ModuleNotFoundError:  # the caller knows which extra brings it
            raise
        except ImportError as error:
            raise ValueError(f"{weights} needs a package: pip install {error.name}") from error
        except Exception as error:  # whatever the format's own library raises on bad files
            cause = f"{type(error).__name__}: {error}"
            raise ValueError(f"{weights} cannot be loaded as YOLO weights ({cause})") from error

    def _predict(self, images: Sequence[Image]) -> list[NDArray[np.float32]]:
        """Return float32 (N, 6) per image of one shape: x1, y1, x2, y2, confidence, class."""
        results = self._model.predict(
            list(images), verbose=False, save=False, predictor=_predictor_class(), **self._options
        )
        return [np.asarray(result.boxes.data.cpu(), np.float32) for result in results]


def refuse_nan(weights: Path, model: Any) -> None:
    """Refuse weights that hold NaN: such a detector finds no person and reports no error.

    Raises:
        ValueError: naming the first of them.
    """
    if isinstance(model, nn.Module):
        names = [name for name, value in model.state_dict().items() if value.isnan().any()]
    else:
        exported = [weights] if weights.suffix == ".onnx" else sorted(weights.glob("*.xml"))
        names = [name for file in exported for name in nan_weights(file)]
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        raise ValueError(
            f"{weights}: weights are not numbers: {names[0]}{more}; the training that wrote it "
            "diverged, or the file is damaged: take an earlier checkpoint"
        )


def class_index(name: str, names: Mapping[int, str], weights: Path) -> int:
    """Find a class by its name, ignoring case.

    Args:
        name: of the class.
        names: of all classes by index.
        weights: for the message.

    Returns:
        The index.

    Raises:
        UnknownClassError: if there is none; the message lists the classes there are.
    """
    for index, candidate in names.items():
        if str(candidate).strip().casefold() == name.strip().casefold():
            return index
    known = ", ".join(map(str, list(names.values())[:LISTED_CLASSES]))  # a name may be a number
    more = f" and {len(names) - LISTED_CLASSES} more" if len(names) > LISTED_CLASSES else ""
    raise UnknownClassError(
        f"{weights} has no class named {name!r}; its classes are: {known}{more}"
    )


def to_detections(rows: NDArray[np.float32], image: Image) -> Detections:
    """Clip boxes to the image and sort them.

    Args:
        rows: float32 (N, 6), see `YoloPersonDetector._predict`.
        image: uint8 (H, W, 3).

    Returns:
        The boxes at least a pixel wide and high, the most confident first, equals by their box.
    """
    height, width = image.shape[:2]
    people = Detections(rows[:, :4], rows[:, 4]).inside(width, height)
    # Equal confidences are common in INT8 models: the box decides then, not the model's order.
    return people[np.lexsort((*people.xyxy.T[::-1], -people.confidence))]


@cache  # ultralytics sets the model up again for a predictor class that it has not seen
def _predictor_class() -> type[Any]:
    """Define the predictor in a function, because ultralytics is imported late."""
    from ultralytics.models.yolo.detect import DetectionPredictor

    class OneImageAtATimeNms(DetectionPredictor):
        """Suppress overlapping boxes image by image.

        For a whole batch, ultralytics stops after two seconds of wall time and returns no boxes
        for the remaining images (8.4.190, utils/nms.py:88 and 166): on a busy machine, people
        would go undetected.
        """

        def postprocess(self, preds: Any, img: Any, orig_imgs: list[Image], **kwargs: Any) -> Any:
            raw = preds[0] if isinstance(preds, list | tuple) else preds
            results: list[Any] = []
            for n in range(len(orig_imgs)):
                one = slice(n, n + 1)
                results += super().postprocess(  # type: ignore[no-untyped-call]
                    raw[one], img[one], orig_imgs[one], **kwargs
                )
            return results

    return OneImageAtATimeNms
