#!/bin/sh
# Runs the benchmarks: those of the core (src/rust/bench), then each R script
# in tools/bench in turn. FATECAST_DEV and R_LIBS come from the Makefile.
set -eu
cd "$(dirname "$0")/.."
ran=0
if [ -f src/rust/bench/Cargo.toml ]; then
    cargo bench --manifest-path src/rust/bench/Cargo.toml
    ran=1
fi
for script in tools/bench/*.R; do
    [ -e "$script" ] || continue
    echo "== $script"
    Rscript --vanilla "$script"
    ran=1
done
[ "$ran" = 1 ] || { echo "no benchmark in src/rust/bench or tools/bench" >&2; exit 1; }
