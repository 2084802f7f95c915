# What the run.sh of several benchmarks share; sourced.

TQDM_DISABLE=1
export TQDM_DISABLE
rounds=${ROUNDS:-3}
threads=${THREADS:-2}

# find_peer <modules>: sets `python` to the first of FATECAST_PEERS that has them
find_peer() {
    python=
    for candidate in ${FATECAST_PEERS:-}; do
        if "$candidate" -c "import $1" 2>/dev/null; then
            python=$candidate
            return
        fi
    done
}

# run_tasks <task ...>: calls one_pass <task> <round> in turns
run_tasks() {
    for task in "$@"; do
        round=1
        while [ "$round" -le "$rounds" ]; do
            one_pass "$task" "$round"
            round=$((round + 1))
        done
        echo "$task: load $(uptime | sed 's/.*average: //')"
    done
}
