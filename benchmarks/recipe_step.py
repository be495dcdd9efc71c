"""What each loss and method costs: an optimisation step by each recipe against that of `tuned`.

The steps run in turns on the same batch of random images, in the last tenth of a training, so that
every term counts; pseudo_labels costs that in its second round only, and nothing in the first.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # nothing is installed: the stages find partialseg so too

from partialseg.core.params import load_section
from partialseg.engine.compute import choose_algorithms, choose_compute
from partialseg.engine.ranks import ALONE
from partialseg.models.build import build_network
from partialseg.training.learner import Learner
from partialseg.training.params import Train
from timing import interleave, print_table
from train_step import CLASSES, random_batch, synchronised

REFERENCE = "tuned"
RECIPES = (
    REFERENCE,
    "dice",
    "lovasz",
    "pseudo_labels",
    "consistency",
    "consistency_lovasz",
    "gated_crf",
)
STEP, STEPS = 9, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="sample")
    parser.add_argument("--architecture", default="unet")
    parser.add_argument(
        "--size", type=int, default=0, help="px; by default the recipe's crop or 384"
    )
    parser.add_argument("--labelled", type=float, default=0.1)
    parser.add_argument("--repeats", type=int, default=9)
    args = parser.parse_args()
    choose_algorithms(deterministic=False)
    steps, batch = {}, 0
    for recipe in RECIPES:
        section = f"datasets.{args.dataset}"
        changes = f"{section}.recipes.{recipe}"
        params = load_section(ROOT / "params.yaml", f"{section}.train", Train, changes)
        compute, batch = choose_compute(params.precision), params.batch_size
        images, labels = random_batch(batch, args.size or params.crop or 384, args.labelled)
        network = build_network(args.architecture, 3, CLASSES, params.base_channels)
        learner = Learner(compute.place(network), None, params, compute, ALONE, 0)
        step = partial(learner.step, images, labels, params.learning_rate, STEP, STEPS)
        steps[recipe] = synchronised(step, compute)
    seconds = interleave(steps, args.repeats, warm_ups=2)
    print(f"{compute}; batch {batch}; {torch.get_num_threads()} threads; torch {torch.__version__}")
    print_table(
        [
            {
                "recipe": recipe,
                "s a step": seconds[recipe],
                f"of {REFERENCE}": f"{seconds[recipe] / seconds[REFERENCE]:.2f}x",
            }
            for recipe in RECIPES
        ]
    )


if __name__ == "__main__":
    main()
