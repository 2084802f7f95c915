#!/bin/sh
# The import rules: which file may know about what. Prints every line that
# breaks one and fails when there is any.
set -eu
cd "$(dirname "$0")/.."
status=0

# rule TEXT PATTERN FILE...: no line of the files, comments apart, may match.
rule() {
    text=$1
    pattern=$2
    shift 2
    [ $# -gt 0 ] || return 0
    hits=$(grep -nHE "$pattern" "$@" 2>/dev/null |
        grep -vE "^[^:]*:[0-9]+:[[:space:]]*(#|//|\*)" || :)
    [ -n "$hits" ] || return 0
    printf '%s\n%s\n' "$text" "$hits"
    status=1
}
list() { find "$@" 2>/dev/null | sort; }

accessors='(colData|rowData|reducedDims?|colPairs?|metadata|assays?|Misc|Embeddings|GetAssayData|LayerData|Graphs|CreateDimReducObject)'

# shellcheck disable=SC2046 # file names hold no spaces
{
    rule ".Call belongs in R/rust.R" '\.(Call|External|C)\(' \
        $(list R -name '*.R' ! -name rust.R)
    rule "container accessors belong in R/container*.R" \
        "(^|[^A-Za-z0-9_.])$accessors(<-)?\(" \
        $(list R -name '*.R' ! -name 'container*.R')
    rule "extendr never in the core" 'extendr' \
        $(list src/rust/core -name '*.rs'; list src/rust/core -name Cargo.toml)
    rule "rayon only in core/src/exec.rs" 'rayon|par_(iter|chunks|bridge|sort)' \
        $(list src/rust/src src/rust/core/src src/rust/core/tests -name '*.rs' \
            ! -path src/rust/core/src/exec.rs)
    rule "unsafe only in the binding" '(^|[^A-Za-z0-9_])unsafe([^A-Za-z0-9_]|$)' \
        $(list src/rust/core -name '*.rs')
    # Clippy cannot say this: extendr's own macros expand to the first.
    rule "a jump or an abort across Rust frames (extendr 0.9.0)" \
        '(throw_r_error|set_attrib)\(' $(list src/rust/src -name '*.rs')
}
exit $status
