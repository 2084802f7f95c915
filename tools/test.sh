#!/bin/sh
# Runs the tests of the core (cargo) and of the package (testthat) and ends in
# one line, "N passed, N failed, N skipped", that sums both. LIB names the
# library into which the package is installed.
set -eu
cd "$(dirname "$0")/.."
FATECAST_DEV=1
R_LIBS=$LIB${R_LIBS:+:$R_LIBS}
export FATECAST_DEV R_LIBS
mkdir -p "$LIB" build/log

passed=0
failed=0
skipped=0
count() {
    passed=$((passed + $1))
    failed=$((failed + $2))
    skipped=$((skipped + $3))
}

# Runs a command, keeps its output in a log, shows the log when it fails.
logged() {
    log=build/log/$1
    shift
    "$@" >"$log" 2>&1 && return 0
    tail -n 60 "$log"
    return 1
}

echo "== core: cargo test"
ok=true
logged core.log cargo test --manifest-path src/rust/Cargo.toml --locked \
    -p fatecast-core --no-fail-fast -j 2 \
    --target-dir "${CARGO_TARGET_DIR:-src/rust/target}" || ok=false
counts=$(sed -n 's/^test result: .* \([0-9]*\) passed; \([0-9]*\) failed; \([0-9]*\) ignored.*/\1 \2 \3/p' \
    build/log/core.log | awk '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0 }')
# A core that does not compile, or runs no test, has no line to count.
case "$ok $counts" in
"true 0 "* | "false "*" 0 "*) counts="${counts%% *} 1 ${counts##* }" ;;
esac
# shellcheck disable=SC2086 # three numbers
count $counts
echo "   passed, failed, ignored: $counts"

echo "== package: R CMD INSTALL"
if logged install.log R CMD INSTALL --preclean --strip --no-multiarch \
    --library="$LIB" .; then
    echo "   installed"
    echo "== package: testthat"
    rm -f build/log/testthat.counts
    Rscript --vanilla tools/testthat.R build/log/testthat.counts || :
    # A crash of R leaves no file.
    counts=$(cat build/log/testthat.counts 2>/dev/null || echo 0 1 0)
    # shellcheck disable=SC2086 # three numbers
    count $counts
    echo "   passed, failed, skipped: $counts"
else
    count 0 1 0
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
