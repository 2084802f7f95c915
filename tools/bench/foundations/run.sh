#!/bin/sh
# run.sh [pancreas.rds] [python ...]
#
# Times the whole job, graph to drivers, here and in CellRank + scanpy, and
# prints a table of medians. Programs take turns, round by round, so that other
# load on the machine falls on both. Each python is one with cellrank and
# scanpy; one that also has slepc4py takes the krylov Schur form, others the
# dense one. Without any, only this package is timed.
#
# FATECAST_PEERS   the pythons, separated by blanks, when none is an argument
# ROUNDS, REPEATS, THREADS   2, 3 and 2 unless set
#
# In a container run as root, Open MPI (under PETSc) wants
# OMPI_ALLOW_RUN_AS_ROOT=1 and OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
data=${1:-$here/../../../../shared/reference/pancreas.rds}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- ${FATECAST_PEERS:-}
rounds=${ROUNDS:-2}
repeats=${REPEATS:-3}
threads=${THREADS:-2}

if [ ! -f "$data" ]; then
    echo "skipped: there is no $data; name the file as the first argument"
    exit 0
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
results=$folder/results.tsv
TQDM_DISABLE=1
export TQDM_DISABLE

schur_of() {
    if "$1" -c "import slepc4py" 2>/dev/null; then echo krylov; else echo brandts; fi
}
ours() {
    Rscript --vanilla "$here/fatecast.R" "$data" "$1" "$threads" "$results"
}
theirs() {
    "$2" "$here/peer.py" "$folder" "$1" "$threads" "$(schur_of "$2")" "$results"
}

[ $# -eq 0 ] || Rscript --vanilla "$here/export.R" "$data" "$folder"
ours 0
for python in "$@"; do theirs 0 "$python"; done
round=1
while [ "$round" -le "$rounds" ]; do
    ours "$repeats"
    for python in "$@"; do theirs "$repeats" "$python"; done
    round=$((round + 1))
done
echo "load average at the end: $(uptime | sed 's/.*load average: //')"
Rscript --vanilla "$here/table.R" "$results"
