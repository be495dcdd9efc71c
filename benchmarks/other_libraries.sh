#!/usr/bin/env bash
# The table of docs/other-libraries.md, by pinned versions in a temporary environment.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q torch==2.13.0 numpy==2.4.6 scikit-learn==1.9.1 packaging==26.4
# Without what they depend on: they would bring torchvision, of which nothing here is used.
"$work/env/bin/pip" install -q --no-deps torchmetrics==1.9.0 lightning-utilities==0.15.2 \
  segmentation-models-pytorch==0.6.0 kornia==0.9.0 kornia-rs==0.2.0 monai==1.6.1
"$work/env/bin/python" "$here/other_libraries.py"
