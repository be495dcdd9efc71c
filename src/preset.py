"""Add a data set to params.yaml: LoveDA, DeepGlobe, ISPRS and others, or a file like these."""

import argparse
from pathlib import Path

from partialseg.core.command import run
from partialseg.presets.add import add_preset, preset_names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    known = ", ".join(preset_names())
    parser.add_argument("preset", help=f"{known}, or a YAML file of your own")
    parser.add_argument("--name", default="", help="of the data set (default: of the preset)")
    parser.add_argument("--path", default="", help="folder of its files (default: see the preset)")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    args = parser.parse_args()
    name = add_preset(args.params, args.preset, args.name, args.path)
    print(f"{args.params} has datasets.{name}; now: dvc exp run -S dataset={name}")


if __name__ == "__main__":
    run(main)
