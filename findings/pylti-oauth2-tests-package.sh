#!/bin/sh
# oauth2 1.9.0.post1, which PyLTI 0.7.0 requires: it installs a top-level package named `tests`.
#
# Valid input: a project whose own folder `tests` has no __init__.py (a namespace package), in an
# environment with PyLTI.
# Seen: `import tests.own` fails, because the installed `tests` comes before the namespace package,
# although the project's folder stands first on the path. Expected: only `oauth2` is installed.
# The script ends with 0 while that is so, and with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-deps oauth2==1.9.0.post1
mkdir -p project/tests
echo 'WORD = "own"' > project/tests/own.py
cd project
if ../venv/bin/python -c 'import tests.own' 2> ../said; then
  echo "oauth2 1.9.0.post1 hides no folder of tests any more"
  exit 1
fi
tail -n 1 ../said
grep -q "No module named 'tests.own'" ../said
