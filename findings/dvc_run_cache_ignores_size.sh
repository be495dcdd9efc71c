#!/usr/bin/env bash
# A stage of DVC with a parameter called `size`, inside a section, that changes.
#
# Guess:    the run cache knows every parameter of a stage, so a value that was never run is run.
# Date:     2026-11-29; dvc 3.67.1, Python 3.11.
# Seen:     with a section as the parameter of the stage, `dvc repro` restores the outputs of another
#           `size` ("is cached - skipping run") and writes the new value beside them into dvc.lock.
#           The same with `nfiles`. These are the names of DVC's own metadata of files, which are
#           left out of the key at any depth. Any other name, and `section.size` listed as a
#           parameter of its own, is run.
# So:       call it otherwise, list it by its full name, or keep the stage out of the run cache (one
#           output with `cache: false` that is neither plot nor metric).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q dvc==3.67.1
export PATH="$work/env/bin:$PATH" DVC_SITE_CACHE_DIR="$work/site" DVC_NO_ANALYTICS=1

mkdir "$work/project"
cd "$work/project"
dvc init -q --no-scm

# result NAME PARAMETER: the last line of the output for NAME = 2, after a run with 1.
result() {
  rm -rf dvc.lock .dvc/cache out.txt
  cat >dvc.yaml <<YAML
stages:
  cut:
    cmd: cp params.yaml out.txt
    params: [$2]
    outs: [out.txt]
YAML
  for value in 1 2; do
    printf 'tile:\n  %s: %s\n' "$1" "$value" >params.yaml
    dvc repro -q
  done
  tail -n 1 out.txt | tr -d ' '
}

size=$(result size tile) nfiles=$(result nfiles tile)
side=$(result side tile) full=$(result size tile.size)
echo "tile.size 2 after 1: out.txt has $size; nfiles: $nfiles; side: $side; by full name: $full"
[[ $size == size:1 && $nfiles == nfiles:1 ]] || { echo changed; exit 1; }
[[ $side == side:2 && $full == size:2 ]] || { echo changed; exit 1; }
