#!/bin/sh
# Make a virtual environment: venv.sh FOLDER [UV]. With uv if given, else with a Python of the
# supported range from the PATH (or the one named by PYTHON).
set -eu
folder=$1
uv=${2:-}
if [ -n "$uv" ]; then
  exec "$uv" venv --quiet --allow-existing --python "${PYTHON:->=3.11,<3.14}" "$folder"
fi
for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
  command -v "$candidate" >/dev/null 2>&1 || continue
  "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || continue
  if "$candidate" -m venv "$folder"; then
    exit 0
  fi
  rm -f "$folder/bin/python" # half an environment must not pass for one at the next try
  echo "$candidate cannot make virtual environments: install its venv package (Debian: python3-venv), or uv." >&2
  exit 1
done
echo "No Python 3.11, 3.12 or 3.13 found: install one, or name it: make PYTHON=/path/to/python setup" >&2
exit 1
