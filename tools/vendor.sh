#!/bin/sh
# vendor.sh FILE: writes the crates of src/rust/Cargo.lock to FILE, a
# tar.xz with one folder, vendor/. The same lock file gives the same bytes
# with the same xz. The unpacked crates stay in build/vendor for authors.R.
set -eu
file=$1
case "$file" in /*) ;; *) file=$(pwd)/$file ;; esac
cd "$(dirname "$0")/.."
rm -rf build/vendor
mkdir -p build/vendor
cargo vendor --manifest-path src/rust/Cargo.toml --locked --versioned-dirs \
    build/vendor/vendor >/dev/null 2>build/vendor/cargo.log ||
    { cat build/vendor/cargo.log >&2; exit 1; }
# GNU tar's switches; the archive is made on Linux and read anywhere.
tar -C build/vendor --format=ustar --sort=name --owner=0 --group=0 \
    --numeric-owner --mode=u=rwX,go=rX --mtime=1980-01-01T00:00:00Z \
    -cf - vendor | xz -9e -T1 >"$file"
