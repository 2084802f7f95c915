#!/bin/sh
# run.sh [make_tree.py] [cells] [pancreas.rds]
#
# Times estimators here and in CellRank (with PETSc and SLEPc where a task says
# so) and prints tables. Programs take turns, each task in a fresh process, so
# that other load on the machine falls on all.
#
# FATECAST_PEERS   pythons; the first with cellrank, petsc4py and slepc4py is
#                  used
# FATECAST_TREES   a folder to keep cells, graphs and chains in
# ROUNDS, THREADS  3 and 2 unless set
# TASKS            those to run; all unless set
# ONCE             tasks that the peer runs in the first round only, because
#                  they take minutes; schur-pancreas unless set
# RESULTS          the table of raw values is appended to this file
#
# In a container run as root, Open MPI (under PETSc) wants
# OMPI_ALLOW_RUN_AS_ROOT=1 and OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
shared=$here/../../../../shared
maker=${1:-$shared/tools/make_tree.py}
cells=${2:-100000}
pancreas=${3:-$shared/reference/pancreas.rds}
tasks=${TASKS:-schur-tree schur-pancreas macrostates-pancreas-11 \
macrostates-pancreas-18 macrostates-tree-6 fates-tips fates-hard}
once=${ONCE:-schur-pancreas}
. "$here/../common.sh"

find_peer "cellrank, petsc4py, slepc4py, umap"
if [ -z "$python" ] || [ ! -f "$maker" ] || [ ! -f "$pancreas" ]; then
    echo "skipped: needs make_tree.py, pancreas.rds and a python with cellrank," \
        "petsc4py, slepc4py and umap-learn in FATECAST_PEERS"
    exit 0
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
results=${RESULTS:-$folder/results.tsv}
trees=${FATECAST_TREES:-$folder}
mkdir -p "$trees"
"$python" "$here/../graph/prepare.py" "$maker" "$trees" "$cells" 30
"$python" "$here/../kernels/prepare.py" "$trees" "$cells"
ln -sf "$(cd "$(dirname "$pancreas")" && pwd)/$(basename "$pancreas")" \
    "$trees/pancreas.rds"
Rscript --vanilla "$here/prepare.R" "$trees" "$cells" "$threads" pancreas tree hard

# one_pass <task> <round>
one_pass() {
    set -- "$trees" "$cells" "$1" "$2" "$threads" "$results"
    Rscript --vanilla "$here/fatecast.R" "$@"
    case " $once " in
        *" $3 "*) [ "$4" = 1 ] || return 0 ;;
    esac
    "$python" "$here/peer.py" "$@"
}

# shellcheck disable=SC2086
run_tasks $tasks
Rscript --vanilla "$here/table.R" "$results"
