"""Export a trained network to ONNX, for use without torch and without this project."""

import argparse
from pathlib import Path

from partialseg.core.command import run
from partialseg.engine.checkpoint import load_checkpoint
from partialseg.mapping.model import info_of
from partialseg.mapping.onnx import export_onnx


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="a best.pt of this project")
    parser.add_argument("--out", type=Path, required=True, help="a file .onnx")
    args = parser.parse_args()
    checkpoint = load_checkpoint(args.checkpoint)
    difference = export_onnx(checkpoint.build(), info_of(checkpoint), args.out)
    size = args.out.stat().st_size / 1e6
    print(f"{args.out}: {size:.1f} MB, probabilities within {difference:.1g} of torch's")


if __name__ == "__main__":
    run(main)
