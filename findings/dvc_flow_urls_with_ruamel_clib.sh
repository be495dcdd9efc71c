#!/usr/bin/env bash
# A params.yaml that DVC reads, once ruamel.yaml.clib is installed beside it.
#
# Guess:    the C extension makes DVC faster; what was valid YAML before stays so.
# Date:     2026-11-28; dvc 3.67.1, ruamel.yaml 0.19.1 (which no longer brings its C extension),
#           ruamel.yaml.clib 0.2.15 (libyaml 0.1.7), PyYAML 6.0.3 (libyaml 0.2.5), Python 3.11.
# Seen:     `urls: [https://example.org/a.zip]`, without quotes in a flow list:
#             DVC without the extension   reads it
#             DVC with the extension      "YAML file structure is corrupted ... found unexpected ':'"
#             PyYAML, in Python and in C  reads it
#           With quotes all of them read it.
# So:       quote URLs in flow lists of params.yaml and dvc.yaml.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q dvc==3.67.1 ruamel.yaml==0.19.1 pyyaml==6.0.3 2>/dev/null
export PATH="$work/env/bin:$PATH" DVC_SITE_CACHE_DIR="$work/site" DVC_NO_ANALYTICS=1

mkdir "$work/project" && cd "$work/project"
dvc init -q --no-scm
cat > dvc.yaml <<'YAML'
stages:
  show:
    cmd: "true"
    params: [urls]
YAML

expect() {  # what DVC must say (a part of it, or nothing) of the URL as it is written in $1
  echo "urls: [$1]" > params.yaml
  seen=$(dvc repro 2>&1 || true)
  printf '%-34s %s\n' "$1" "$(grep -o 'file structure is corrupted' <<< "$seen" || echo 'is read')"
  if [ -n "$2" ]; then grep -q "$2" <<< "$seen"; else ! grep -q corrupted <<< "$seen"; fi
}

plain=https://example.org/a.zip
echo "without the C extension"
expect "$plain" ""
expect "\"$plain\"" ""
"$work/env/bin/pip" install -q ruamel.yaml.clib==0.2.15 2>/dev/null
echo "with ruamel.yaml.clib"
expect "$plain" "YAML file structure is corrupted"
expect "\"$plain\"" ""
echo "urls: [$plain]" > params.yaml
python - <<'PY'
import yaml
for loader in (yaml.SafeLoader, yaml.CSafeLoader):
    assert yaml.load(open("params.yaml"), loader) == {"urls": ["https://example.org/a.zip"]}
print("PyYAML reads it in Python and in C")
PY
