#!/usr/bin/env bash
# torch.optim.Muon on the weights of a convolutional network.
#
# Guess:    like the implementation of Muon's author, it takes kernels of convolutions, of four
#           dimensions, as matrices; and it computes in the data type of the weights.
# Date:     2026-11-28; torch 2.13.0 (CPU), Python 3.11.
# Seen:     a kernel is refused by a ValueError ("only supports 2D parameters"); of a matrix in
#           float32 or float64, every step is rounded to bfloat16: 16 of the 24 bits of a float32 are
#           zero. On CPUs without bfloat16 instructions it is emulated.
# So:       for convolutions, flatten the kernels in an optimiser of one's own, in float32.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q torch==2.13.0 numpy==2.4.6

"$work/env/bin/python" - <<'PY'
import torch

kernel = torch.nn.Conv2d(3, 8, 3).weight
try:
    torch.optim.Muon([kernel], lr=1.0)
    raise SystemExit("changed: a kernel is taken")
except ValueError as error:
    assert "only supports 2D parameters" in str(error), error
    print("kernel of 4 dimensions:", error)

for dtype in (torch.float32, torch.float64):
    weight = torch.nn.Parameter(torch.zeros(8, 27, dtype=dtype))
    draw = torch.Generator().manual_seed(1)
    weight.grad = torch.randn(8, 27, generator=draw, dtype=dtype)
    torch.optim.Muon([weight], lr=1.0, weight_decay=0.0).step()
    step = -weight.detach()
    rounded = torch.equal(step, step.bfloat16().to(dtype))
    left, _, right = torch.linalg.svd(weight.grad, full_matrices=False)
    along = left.T @ step @ right.T
    off = float((along - torch.diag(along.diagonal())).abs().max())
    print(f"{dtype}: every element of the step is a bfloat16: {rounded}; "
          f"largest element off the diagonal in the gradient's singular vectors: {off:.4f}")
    assert rounded, "changed: the step has more digits than bfloat16"
    assert off > 1e-3, "changed: the step is exact to more than bfloat16"
PY
