"""Accuracy and areas of a class map by reference points that a person labelled."""

import argparse
from pathlib import Path

from partialseg.assessment.assess import assess, draw_points
from partialseg.assessment.tables import content, text
from partialseg.core.command import run
from partialseg.core.files import write_json


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("map", type=Path, help="a map that predict.py wrote: ..._classes.tif")
    parser.add_argument("points", type=Path, help="a .gpkg or .csv file with a field 'reference'")
    parser.add_argument("--json", type=Path, help="a file for the results, too")
    parser.add_argument(
        "--draw", type=int, metavar="N", help="write N random points to label into a new file"
    )
    parser.add_argument("--seed", type=int, default=0, help="of --draw (default: 0)")
    args = parser.parse_args()
    if args.draw is not None and args.json:
        parser.error("--json: there are no results to write with --draw")
    if args.json and args.json.resolve() in (args.points.resolve(), args.map.resolve()):
        parser.error(f"--json: {args.json} would be overwritten")
    if args.draw is not None:
        draw_points(args.map, args.points, args.draw, args.seed)
        print(f"{args.points}: {args.draw} points; write a class of the map into 'reference'")
        return
    assessment = assess(args.map, args.points)
    if args.json:
        write_json(args.json, content(assessment))
    print(text(assessment))


if __name__ == "__main__":
    run(main)
