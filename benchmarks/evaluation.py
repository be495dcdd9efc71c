"""CPU time of the stage evaluate for each patch, inside and outside the network, on a CPU."""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # nothing is installed: the stages find partialseg so too

from partialseg.core.params import load_section
from partialseg.evaluation import evaluate as stage
from partialseg.evaluation.params import Evaluate
from partialseg.evaluation.runs import RunFiles
from partialseg.models.unet import UNet
from partialseg.models.unetplusplus import UNetPlusPlus
from partialseg.tiling.patches import PatchStore
from timing import print_table


class Stopwatch:
    """Adds up the CPU seconds that this process spends in functions."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, timed."""

        def run(*args: Any) -> Any:
            began = time.process_time()
            result = function(*args)
            self.seconds += time.process_time() - began
            return result

        return run


def measure(patches: Path, run: Path, params: Evaluate) -> dict[str, object]:
    """Evaluate a run once; return a row of the table.

    The loader's processes count; imports and what a run costs once (its operations) do not.
    """
    network, once = Stopwatch(), Stopwatch()
    for kind in (UNet, UNetPlusPlus):
        kind.forward = network.timed(kind.forward)  # type: ignore[method-assign]
    stage.cost = once.timed(stage.cost)
    store = PatchStore(patches)
    count = sum(len(store.of_split(split)) for split in ("val", "test"))
    with tempfile.TemporaryDirectory() as folder:
        out = RunFiles(
            scores=Path(folder, "scores.json"),
            detail=Path(folder, "detail.json"),
            predictions=Path(folder, "predictions.npz"),
        )
        began = time.process_time()
        stage.evaluate(patches, run, out, params)
        whole = time.process_time() - began - once.seconds
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    loading = used.ru_utime + used.ru_stime
    return {
        "patches": count,
        "network, ms a patch": 1e3 * network.seconds / count,
        "loading": 1e3 * loading / count,
        "outside the network, with loading": 1e3 * (whole - network.seconds + loading) / count,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path, help="a clone in which the run was evaluated")
    parser.add_argument("run", type=Path, help="its folder there, as in runs/.../unet-0.1-tuned-42")
    parser.add_argument("--dataset", default="landcover_ai")
    parser.add_argument("--split", default="main")
    args = parser.parse_args()
    if torch.cuda.is_available():
        parser.error("this measures CPU time, and there is a GPU: set CUDA_VISIBLE_DEVICES=''")
    section = f"datasets.{args.dataset}.evaluate"
    params = load_section(args.project / "params.yaml", section, Evaluate)
    patches = args.project / "data" / args.dataset / args.split / "patches"
    print_table([measure(patches, args.project / args.run, params)])


if __name__ == "__main__":
    main()
