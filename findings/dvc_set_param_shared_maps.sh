#!/usr/bin/env bash
# `dvc exp run -S key=value` on a params.yaml whose maps are shared by YAML anchors.
#
# Guess:    -S changes the value of that key and of no other, however the file is written.
# Date:     2026-11-28; dvc 3.67.1, ruamel.yaml 0.19.1, Python 3.11.
# Seen:     DVC exits 0 each time, and the value that the next stage reads is
#             first.flat=9            not changed (first is the target of a plain alias)
#             first.nested.deep=9     not changed
#             merged.flat=9           changed alone: a flat value under `<<` is safe
#             merged.nested.deep=9    not changed: a nested map under `<<` is a shared object
#             alias.flat=9            changed, and first.flat with it
#             alias.nested.deep=9     changed, and two others with it
#             own.nested.deep=9       changed alone: a nested map that is written out is safe
# So:       inherit flat maps of scalars by `<<` only, write nested maps out, use no plain aliases.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q dvc==3.67.1 ruamel.yaml==0.19.1 pyyaml==6.0.3 2>/dev/null
export PATH="$work/env/bin:$PATH" DVC_SITE_CACHE_DIR="$work/site" DVC_NO_ANALYTICS=1
export GIT_AUTHOR_NAME=n GIT_AUTHOR_EMAIL=n@example.org GIT_COMMITTER_NAME=n GIT_COMMITTER_EMAIL=n@example.org

mkdir "$work/project" && cd "$work/project"
git init -q && git config user.name n && git config user.email n@example.org && dvc init -q
cat > params.yaml <<'YAML'
first: &first
  flat: 1
  nested: {deep: 2}
merged:
  <<: *first
alias: *first
own:
  <<: *first
  nested: {deep: 2}
YAML
cat > dvc.yaml <<'YAML'
stages:
  show:
    cmd: cp params.yaml out.yaml
    params: [first, merged, alias, own]
    outs: [{out.yaml: {cache: false}}]
YAML
git add -A && git commit -qm "before"

changed() {  # the keys whose value is 9 after -S "$1"
  git checkout -q params.yaml
  dvc exp run -q -S "$1" >/dev/null 2>&1
  python - <<'PY'
import yaml
params = yaml.safe_load(open("params.yaml"))
flat = {f"{name}.flat": part["flat"] for name, part in params.items()}
deep = {f"{name}.nested.deep": part["nested"]["deep"] for name, part in params.items()}
print(" ".join(key for key, value in (flat | deep).items() if value == 9) or "none")
PY
}

expect() {
  seen=$(changed "$1")
  printf '%-24s changes: %s\n' "$1" "$seen"
  [ "$seen" = "$2" ] || { echo "expected: $2" >&2; exit 1; }
}

expect first.flat=9 "none"
expect first.nested.deep=9 "none"
expect merged.flat=9 "merged.flat"
expect merged.nested.deep=9 "none"
expect alias.flat=9 "first.flat alias.flat"
expect alias.nested.deep=9 "first.nested.deep merged.nested.deep alias.nested.deep"
expect own.nested.deep=9 "own.nested.deep"
