#!/bin/sh
# run.sh [make_tree.py] [cells ...]
#
# Times neighbours, clusters, layouts, diffusion maps and PAGA here and in the
# peers on cells of a branching tree (50 dimensions, 30 neighbours) and prints
# tables. Programs take turns, seed by seed, each task in a fresh process, so
# that other load on the machine falls on all. Every program clusters and lays
# out the same graph; one code judges all results (quality.py).
#
# FATECAST_PEERS   pythons; the first with scanpy, igraph and umap is used
# FATECAST_TREES   a folder to keep the cells and exact neighbours in
# SEEDS, THREADS   3 and 2 unless set; leiden takes 2 more seeds
# TASKS            those to run; all unless set
# RESULTS          the table of raw values is appended to this file
set -eu
here=$(cd "$(dirname "$0")" && pwd)
maker=${1:-$here/../../../../shared/tools/make_tree.py}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- 10000 100000
seeds=${SEEDS:-3}
threads=${THREADS:-2}
tasks=${TASKS:-neighbours leiden umap layout diffmap paga}
TQDM_DISABLE=1
export TQDM_DISABLE

python=
for candidate in ${FATECAST_PEERS:-}; do
    if "$candidate" -c "import scanpy, igraph, umap" 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ] || [ ! -f "$maker" ]; then
    echo "skipped: needs make_tree.py and a python with scanpy, igraph and" \
        "umap-learn in FATECAST_PEERS"
    exit 0
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
results=${RESULTS:-$folder/results.tsv}
trees=${FATECAST_TREES:-$folder}
mkdir -p "$trees"

ours() { Rscript --vanilla "$here/fatecast.R" "$@"; }
theirs() { "$python" "$here/peer.py" "$@"; }
uwot_igraph() { Rscript --vanilla "$here/peer.R" "$@"; }

# one_round <cells> <task> <seed>
one_round() {
    set -- "$folder" "$1" "$2" "$3" "$threads" "$results"
    case $3 in
    neighbours)
        ours "$@"
        theirs "$@"
        theirs "$1" "$2" pynndescent "$4" "$5" "$6"
        uwot_igraph "$@"
        ours "$1" "$2" neighbours-exact "$4" "$5" "$6"
        ;;
    leiden)
        ours "$@"
        theirs "$@"
        # Its default engine takes time quadratic in the cells.
        [ "$2" -gt 20000 ] ||
            theirs "$1" "$2" scanpy-leiden "$4" "$5" "$6"
        uwot_igraph "$@"
        ;;
    umap | layout)
        ours "$@"
        uwot_igraph "$@"
        theirs "$@"
        ;;
    *)
        ours "$@"
        theirs "$@"
        ;;
    esac
}

for cells in "$@"; do
    "$python" "$here/prepare.py" "$maker" "$trees" "$cells" 30
    [ "$trees" = "$folder" ] ||
        ln -s "$(cd "$trees" && pwd)"/*_"$cells".* "$folder"
    for task in $tasks; do
        last=$seeds
        [ "$task" != leiden ] || last=$((seeds + 2))
        seed=1
        while [ "$seed" -le "$last" ]; do
            one_round "$cells" "$task" "$seed"
            seed=$((seed + 1))
        done
        echo "$cells cells, $task: load $(uptime | sed 's/.*average: //')"
    done
    "$python" "$here/quality.py" "$folder" "$cells" "$threads" "$results"
done
Rscript --vanilla "$here/table.R" "$results"
