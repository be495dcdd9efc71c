"""Export a trained network to ONNX, for use without torch and without this project."""

import argparse
from pathlib import Path

from partialseg.core.command import run
from partialseg.engine.checkpoint import load_checkpoint
from partialseg.mapping.export import export_onnx
from partialseg.mapping.model import info_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="a best.pt of this project")
    parser.add_argument("--out", type=Path, required=True, help="a file .onnx")
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--tile", type=int, default=512, help="px: takes one image of this side (default: 512)"
    )
    size.add_argument("--dynamic", action="store_true", help="takes images of any number and size")
    args = parser.parse_args()
    checkpoint = load_checkpoint(args.checkpoint)
    tile = None if args.dynamic else args.tile
    difference = export_onnx(checkpoint.build(), info_of(checkpoint), args.out, tile)
    megabytes = args.out.stat().st_size / 1e6
    print(f"{args.out}: {megabytes:.1f} MB, probabilities within {difference:.1g} of torch's")


if __name__ == "__main__":
    run(main)
