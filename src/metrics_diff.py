"""Print, as Markdown, which metrics differ from those of a commit; measured ones are left out."""

import argparse
from pathlib import Path

from partialseg.core.command import run
from partialseg.verification.metrics_diff import markdown, metrics_diff


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", help="a commit, a branch, a tag")
    base = parser.parse_args().base
    changes = metrics_diff(base, Path(__file__).parents[1])
    print(f"### Metrics against `{base}`\n\n{markdown(changes, base)}")


if __name__ == "__main__":
    run(main)
