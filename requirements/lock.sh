#!/bin/sh
# Renew the locks: lock.sh UV. One lock serves Python 3.11 to 3.13 on Linux and macOS (--universal);
# no registry address is written, so a mirror works as well.
set -eu
uv=$1
cd "$(dirname "$0")/.."

compile() {
  "$uv" pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock" "$@"
}

# The tests' lock first: it holds everything, and the base lock takes the same versions from it.
compile --extra train --extra dev --override requirements/platform.override \
  pyproject.toml requirements/build.in requirements/platform.in --output-file requirements/dev.txt
compile --constraint requirements/dev.txt pyproject.toml requirements/build.in --output-file requirements/base.txt
compile --extra cluster --constraint requirements/dev.txt pyproject.toml requirements/build.in \
  --output-file requirements/cluster.txt
