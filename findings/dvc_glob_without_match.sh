#!/usr/bin/env bash
# `dvc repro --glob PATTERN` where no stage has a name like that.
#
# Guess:    an error, as for a name without wildcards that is no stage; nothing runs.
# Date:     2026-11-29; dvc 3.67.1, Python 3.11.
# Seen:     dvc repro 'train@c'                    exit 255, nothing runs
#           dvc repro --glob 'train@c*'            exit 0, the whole pipeline runs
#           dvc repro --glob 'train@c*' 'train@b'  exit 0, train@b alone: the other one is not named
#           dvc push --glob 'train@*'              exit 1: here patterns are of files, and not of stages
# So:       a slip in a pattern trains everything. Compare patterns with `dvc stage list` first.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q dvc==3.67.1 2>/dev/null
export PATH="$work/env/bin:$PATH" DVC_SITE_CACHE_DIR="$work/site" DVC_NO_ANALYTICS=1

mkdir "$work/project" && cd "$work/project"
git init -q && dvc init -q
cat > dvc.yaml <<'YAML'
stages:
  train:
    matrix: {name: [a, b]}
    cmd: echo ${item.name} > ${item.name}.txt
    outs: ["${item.name}.txt"]
YAML
mkdir "$work/remote" && dvc remote add -q -d store "$work/remote"

expect() {  # expect STATUS FILES COMMAND...: the exit status, and the outputs that are there then
  rm -f a.txt b.txt dvc.lock
  rm -rf .dvc/cache/runs
  status=0
  "${@:3}" >/dev/null 2>&1 || status=$?
  made=$(find . -maxdepth 1 -name '?.txt' -printf '%f ' | tr ' ' '\n' | sort | xargs)
  printf '%-45s exit %s, made: %s\n' "${*:3}" "$status" "${made:-nothing}"
  [ "$status" = "$1" ] && [ "$made" = "$2" ] || { echo "expected: $1, '$2'" >&2; exit 1; }
}

expect 255 "" dvc repro 'train@c'
expect 0 "a.txt b.txt" dvc repro --glob 'train@c*'
expect 0 "b.txt" dvc repro --glob 'train@c*' 'train@b'
expect 0 "a.txt b.txt" dvc repro --glob 'train@*'
dvc repro -q
status=0
dvc push --glob 'train@*' >/dev/null 2>&1 || status=$?
printf '%-45s exit %s\n' "dvc push --glob 'train@*'" "$status"
[ "$status" = 1 ]
