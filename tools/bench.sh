#!/bin/sh
# Runs the benchmarks: those of the core (src/rust/bench), then the run.sh of
# each folder of tools/bench. FATECAST_DEV and R_LIBS come from the Makefile,
# FATECAST_PEERS names the pythons of the peers.
set -eu
cd "$(dirname "$0")/.."
ran=0
if [ -f src/rust/bench/Cargo.toml ]; then
    cargo bench --manifest-path src/rust/bench/Cargo.toml
    ran=1
fi
for script in tools/bench/*/run.sh; do
    [ -e "$script" ] || continue
    echo "== $script"
    sh "$script"
    ran=1
done
[ "$ran" = 1 ] || { echo "no benchmark in src/rust/bench or tools/bench" >&2; exit 1; }
