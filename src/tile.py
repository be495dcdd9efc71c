"""Stage tile: cut the orthophotos of a source into patches, with a manifest of them."""

import argparse
from pathlib import Path

from partialseg.core.command import run
from partialseg.core.files import new_file
from partialseg.core.params import load_section
from partialseg.source.index import read_index
from partialseg.tiling import split
from partialseg.tiling.assignment import wanted_splits
from partialseg.tiling.contact_sheet import draw_contact_sheet
from partialseg.tiling.grid import NO_SPLIT
from partialseg.tiling.overview import class_table, shared_between_splits
from partialseg.tiling.params import Tile
from partialseg.tiling.patches import PatchStore
from partialseg.tiling.tile import tile


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--split", required=True)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--contact-sheet", type=Path, required=True)
    args = parser.parse_args()
    section = f"datasets.{args.dataset}"
    params = load_section(args.params, f"{section}.tile", Tile, f"{section}.splits.{args.split}")
    patches = tile(args.source, args.out, params)
    source = read_index(args.source)
    print(class_table(source.legend, patches, wanted_splits(params)))
    for sentence in shared_between_splits(source, patches):
        print(sentence)
    with new_file(args.contact_sheet) as file:
        draw_contact_sheet(PatchStore(args.out), file)
    counts = {name: sum(p.split == name for p in patches) for name in (*split.SPLITS, NO_SPLIT)}
    print(f"{len(patches)} patches of {params.size} px: {counts}")


if __name__ == "__main__":
    run(main)
