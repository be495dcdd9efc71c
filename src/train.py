"""Stage train: train one architecture on the visible labels of one label fraction."""

import argparse
from pathlib import Path

import torch

from partialseg.core.command import run
from partialseg.core.params import load_section
from partialseg.engine.checkpoint import RunId
from partialseg.engine.ranks import joined, launch, launched
from partialseg.training.params import Train
from partialseg.training.train import TrainFolders, train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--split", required=True)
    parser.add_argument("--labelling", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--patches", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resume", type=Path, required=True)
    args = parser.parse_args()
    section = f"datasets.{args.dataset}"
    params = load_section(
        args.params, f"{section}.train", Train, f"{section}.recipes.{args.recipe}"
    )
    run_id = RunId(
        dataset=args.dataset,
        split=args.split,
        labelling=args.labelling,
        architecture=args.architecture,
        recipe=args.recipe,
        seed=args.seed,
    )
    folders = TrainFolders(
        patches=args.patches, labels=args.labels, out=args.out, resume=args.resume
    )
    processes = torch.cuda.device_count() if params.processes == "auto" else params.processes
    if processes > 1 and not launched():
        launch(processes)
    with joined() as ranks:
        train(run_id, folders, params, ranks)


if __name__ == "__main__":
    run(main)
