#!/bin/sh
# run.sh [make_tree.py] [cells] [pancreas.rds]
#
# Times kernels, random walks, RNA velocity and transport here and in the peers
# (CellRank, scVelo, POT) and prints a table. Programs take turns, each task in a
# fresh process, so that other load on the machine falls on all.
#
# FATECAST_PEERS   pythons; the first with cellrank, scvelo and ot is used
# FATECAST_TREES   a folder to keep cells, graphs and counts in
# ROUNDS, THREADS  3 and 2 unless set
# TASKS            those to run; all but velocity-stochastic-pancreas in the
#                  peer unless set
# STOCHASTIC       1 runs the peer's stochastic model too, once: it takes
#                  minutes
# WALKS            walks the peer simulates, 20 unless set; its seconds are
#                  scaled to the 1,000 simulated here
# RESULTS          the table of raw values is appended to this file
set -eu
here=$(cd "$(dirname "$0")" && pwd)
shared=$here/../../../../shared
maker=${1:-$shared/tools/make_tree.py}
cells=${2:-100000}
pancreas=${3:-$shared/reference/pancreas.rds}
tasks=${TASKS:-velocity-pancreas velocity-stochastic-pancreas velocity-tree \
pseudotime-hard pseudotime-soft cytotrace walks rna-velocity coupling}
. "$here/../common.sh"

find_peer "cellrank, scvelo, ot, umap"
if [ -z "$python" ] || [ ! -f "$maker" ] || [ ! -f "$pancreas" ]; then
    echo "skipped: needs make_tree.py, pancreas.rds and a python with cellrank," \
        "scvelo, POT and umap-learn in FATECAST_PEERS"
    exit 0
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
results=${RESULTS:-$folder/results.tsv}
trees=${FATECAST_TREES:-$folder}
mkdir -p "$trees"
"$python" "$here/../graph/prepare.py" "$maker" "$trees" "$cells" 30
"$python" "$here/prepare.py" "$trees" "$cells"
[ "$trees" = "$folder" ] || ln -s "$(cd "$trees" && pwd)"/*_* "$folder"
Rscript --vanilla "$here/../foundations/export.R" "$pancreas" "$folder"
ln -s "$(cd "$(dirname "$pancreas")" && pwd)/$(basename "$pancreas")" \
    "$folder/pancreas.rds"

# one_pass <task> <round>
one_pass() {
    set -- "$folder" "$cells" "$1" "$2" "$threads" "$results"
    Rscript --vanilla "$here/fatecast.R" "$@"
    if [ "$3" = velocity-stochastic-pancreas ]; then
        [ "${STOCHASTIC:-0}" = 1 ] && [ "$4" = 1 ] || return 0
    fi
    "$python" "$here/peer.py" "$@"
}

# shellcheck disable=SC2086
run_tasks $tasks
Rscript --vanilla "$here/table.R" "$results"
