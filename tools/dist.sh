#!/bin/sh
# Writes the source tarball with the vendored crates to build/dist and prints
# its name. VIGNETTES=no leaves the vignettes unbuilt, which is quicker.
set -eu
cd "$(dirname "$0")/.."
PATH=$PATH:$HOME/.cargo/bin
stage=build/dist/stage/fatecast
mkdir -p build/log
rm -rf build/dist
mkdir -p "$stage"

# From a copy, so that neither compiled files nor the archive of crates ever
# stand in the working tree.
tar -cf - --exclude=./build --exclude=./.git --exclude=./demo-output \
    --exclude=./docs --exclude=target --exclude='./*.Rcheck' \
    --exclude='./src/*.o' --exclude='./src/*.so' . | tar -C "$stage" -xf -
echo "== vendoring the crates"
sh tools/vendor.sh "$stage/src/rust/vendor.tar.xz"

flags=
if [ "${VIGNETTES:-yes}" = no ] || ! ls vignettes/*.Rmd >/dev/null 2>&1; then
    flags=--no-build-vignettes
fi
echo "== R CMD build $flags"
# shellcheck disable=SC2086 # empty means no argument
(cd build/dist && R CMD build $flags stage/fatecast) \
    >build/log/build.log 2>&1 || { tail -n 40 build/log/build.log; exit 1; }
cp "$stage/src/rust/vendor.tar.xz" build/dist/vendor.tar.xz
rm -rf build/dist/stage
ls build/dist/fatecast_*.tar.gz
