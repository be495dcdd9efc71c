"""Stage evaluate: score the best checkpoint of a run on the whole validation and test truth."""

import argparse
from pathlib import Path

from partialseg.core.command import run
from partialseg.core.params import load_section
from partialseg.evaluation.evaluate import evaluate
from partialseg.evaluation.params import Evaluate
from partialseg.evaluation.results import WITHOUT_TEST, scored_splits
from partialseg.evaluation.runs import RunFiles


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--patches", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--scores", type=Path, required=True)
    parser.add_argument("--detail", type=Path, required=True)
    parser.add_argument("--predictions", type=Path, required=True)
    args = parser.parse_args()
    params = load_section(args.params, f"datasets.{args.dataset}.evaluate", Evaluate)
    out = RunFiles(scores=args.scores, detail=args.detail, predictions=args.predictions)
    results = evaluate(args.patches, args.run, out, params, args.dataset)
    splits = scored_splits(results.detail)
    for split in splits:
        scores = results.detail[split]
        print(
            f"{split}: mIoU {scores['miou']:.4f} (all {scores['majority_class']}: "
            f"{scores['majority_miou']:.4f}), accuracy {scores['accuracy']:.4f}"
        )
    if "test" not in splits:
        print(WITHOUT_TEST)


if __name__ == "__main__":
    run(main)
