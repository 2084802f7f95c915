#!/bin/sh
# Installs what is missing to build, test and demonstrate the package, and
# does nothing when nothing is missing. Debian and Ubuntu: everything from the
# distribution, as built packages. Elsewhere: R packages from CRAN and
# Bioconductor; R and cargo are for the user to install.
set -eu
cd "$(dirname "$0")/.."

PATH=$PATH:$HOME/.cargo/bin
minimum=80 # of rustc 1.x, as in configure
# Met only by documents, or too large to ask of everybody; used where present.
optional=" BiocStyle knitr rmarkdown Seurat "

say() { printf 'setup: %s\n' "$*"; }
fail() {
    say "$*" >&2
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

rust_is_recent() {
    have cargo && have rustc || return 1
    minor=$(rustc --version | sed -n 's/^rustc 1\.\([0-9]*\)\..*/\1/p')
    [ "${minor:-0}" -ge "$minimum" ]
}

# The package names in Imports and Suggests, one per line.
dependencies() {
    awk '/^[A-Za-z]/ { on = /^(Imports|Suggests):/ } on' DESCRIPTION |
        sed -e 's/^[A-Za-z]*://' -e 's/([^)]*)//g' | tr ',' '\n' |
        tr -d ' \t' | grep . | while read -r name; do
        case "$optional" in
        *" $name "*) ;;
        *) echo "$name" ;;
        esac
    done
}

missing_r_packages() {
    # shellcheck disable=SC2046 # one argument for each name
    Rscript --vanilla -e 'for (p in commandArgs(TRUE))
        if (!nzchar(system.file(package = p))) writeLines(p)' \
        $(dependencies)
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        fail "root or sudo is needed for: $*"
    fi
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o Dpkg::Use-Pty=0 "$@" </dev/null
}

candidate_minor() {
    apt-cache policy "$1" 2>/dev/null |
        sed -n 's/^ *Candidate: *\([0-9]*:\)\{0,1\}1\.\([0-9]*\)\..*/\2/p'
}

# Debian's name of an R package, or nothing for those inside R itself.
debian_name() {
    lower=$(echo "$1" | tr '[:upper:]' '[:lower:]')
    case "$lower" in
    methods | stats | utils | grdevices | graphics | tools | parallel) return ;;
    esac
    for name in "r-cran-$lower" "r-bioc-$lower"; do
        if apt-cache show "$name" >/dev/null 2>&1; then
            echo "$name"
            return
        fi
    done
    fail "no Debian package for the R package $1"
}

setup_debian() {
    say "reading the package lists"
    apt update >build/log/apt.log 2>&1 ||
        { tail -n 20 build/log/apt.log >&2; fail "apt-get update failed"; }

    wanted=
    have R || wanted="$wanted r-base-core"
    have gcc || wanted="$wanted gcc libc6-dev"
    have xz || wanted="$wanted xz-utils"
    [ -e /etc/ssl/certs/ca-certificates.crt ] ||
        wanted="$wanted ca-certificates"
    if ! rust_is_recent; then
        for suffix in "" -web; do
            minor=$(candidate_minor "rustc$suffix")
            if [ "${minor:-0}" -ge "$minimum" ]; then
                wanted="$wanted cargo$suffix rustc$suffix"
                break
            fi
            minor=
        done
        [ -n "$minor" ] || rustup_line
    fi
    if have Rscript; then names=$(missing_r_packages); else
        names=$(dependencies); fi
    for name in $names; do
        found=$(debian_name "$name") || exit 1
        wanted="$wanted $found"
    done

    say "installing$wanted"
    # shellcheck disable=SC2086 # one argument for each name
    apt install --no-install-recommends $wanted >build/log/apt.log 2>&1 ||
        { tail -n 20 build/log/apt.log >&2; fail "apt-get install failed"; }
}

setup_elsewhere() {
    have Rscript || fail "R (4.2 or later) is missing: https://cran.r-project.org"
    rust_is_recent || rustup_line
    names=$(missing_r_packages)
    [ -n "$names" ] || return 0
    say "installing from CRAN and Bioconductor:" $names
    # shellcheck disable=SC2086 # one argument for each name
    Rscript --vanilla -e '
        names <- commandArgs(TRUE)
        options(repos = c(CRAN = "https://cloud.r-project.org"))
        if (requireNamespace("pak", quietly = TRUE)) {
            pak::pkg_install(names, ask = FALSE)
        } else {
            if (!requireNamespace("BiocManager", quietly = TRUE))
                install.packages("BiocManager")
            BiocManager::install(names, update = FALSE, ask = FALSE)
        }' $names
}

rustup_line() {
    fail "cargo and rustc 1.$minimum or later are missing; install them with
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh
and run this again"
}

if have R && have gcc && rust_is_recent && [ -z "$(missing_r_packages)" ]; then
    exit 0
fi
mkdir -p build/log
if have apt-get; then setup_debian; else setup_elsewhere; fi
rust_is_recent || rustup_line
left=$(missing_r_packages)
[ -z "$left" ] || fail "still missing:" $left
say "done"
