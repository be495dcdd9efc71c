"""Look at a folder of images and masks, and print what it holds and a section for params.yaml."""

import argparse
from pathlib import Path

from partialseg.core.command import run
from partialseg.presets.add import add_section
from partialseg.presets.section import section_text
from partialseg.surveying.content import survey_pairs
from partialseg.surveying.suggestion import preset_text
from partialseg.surveying.survey import pairs_of, report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", default="", help="pattern of the images, with {name}")
    parser.add_argument("--masks", default="", help="pattern of the masks, with {name}")
    parser.add_argument("--name", default="mine", help="of the data set (default: %(default)s)")
    parser.add_argument("--add", action="store_true", help="add the section to params.yaml")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    args = parser.parse_args()
    pairs = pairs_of(args.folder, args.images, args.masks)
    found = survey_pairs(pairs.files)
    print(report(args.folder, pairs, found))
    section = section_text(args.name, preset_text(args.folder, pairs, found), args.folder)
    print(f"\nFor {args.params}, below `datasets:` (--add puts it there):\n\n{section}")
    if args.add:
        add_section(args.params, args.name, section)
        print(f"{args.params} has datasets.{args.name}")


if __name__ == "__main__":
    run(main)
