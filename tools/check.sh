#!/bin/sh
# R CMD check of the tarball in build/dist, without network; fails on an error
# or a warning. Runs BiocCheck too where it is installed.
set -eu
cd "$(dirname "$0")/.."
tarball=$(ls build/dist/fatecast_*.tar.gz)
mkdir -p build/check build/log
rm -rf build/check/*

# Cargo may not look anywhere, and whatever tries to meets a dead end.
CARGO_NET_OFFLINE=true
http_proxy=http://127.0.0.1:9
https_proxy=$http_proxy
export CARGO_NET_OFFLINE http_proxy https_proxy
unset FATECAST_DEV CARGO_TARGET_DIR 2>/dev/null || :
# Suggested packages are used where present.
_R_CHECK_FORCE_SUGGESTS_=false
_R_CHECK_CRAN_INCOMING_=false
_R_CHECK_LIMIT_CORES_=true
_R_CHECK_SYSTEM_CLOCK_=false
export _R_CHECK_SYSTEM_CLOCK_
export _R_CHECK_FORCE_SUGGESTS_ _R_CHECK_CRAN_INCOMING_ _R_CHECK_LIMIT_CORES_

flags=--no-manual
tar -tzf "$tarball" | grep -q '^fatecast/inst/doc/' ||
    flags="$flags --ignore-vignettes"
echo "== R CMD check $flags"
log=build/log/check.log
# shellcheck disable=SC2086 # one argument for each
R CMD check $flags --output=build/check "$tarball" >"$log" 2>&1 || :
# What was not OK, then the verdict.
grep -vE '^\* (using|this is)|\.\.\. (\[[^]]*\] )?OK$' "$log" | tail -n 80 || :
if ! grep -q '^Status: ' "$log" || grep -qE '^Status: .*(ERROR|WARNING)' "$log"; then
    cat build/check/fatecast.Rcheck/00install.out 2>/dev/null | tail -n 40
    exit 1
fi

if Rscript --vanilla -e 'quit(status = !nzchar(system.file(package = "BiocCheck")))'; then
    echo "== BiocCheck"
    # Which Bioconductor goes with this R (two of them with each, since 4.0) is
    # otherwise asked of the network.
    minor=$(Rscript --vanilla -e 'cat(sub("[.].*", "", R.version$minor))')
    bioc=$((2 * minor + 12))
    config=build/check/bioconductor.yaml
    cat >"$config" <<CONFIG
release_version: "3.$bioc"
devel_version: "3.$((bioc + 1))"
r_ver_for_bioc_ver:
  "3.$((bioc - 1))": "4.$minor"
  "3.$bioc": "4.$minor"
  "3.$((bioc + 1))": "4.$((minor + 1))"
CONFIG
    BIOCONDUCTOR_CONFIG_FILE=file://$PWD/$config
    # It installs the package again, only to look at it.
    FATECAST_PROFILE=dev-install
    export BIOCONDUCTOR_CONFIG_FILE FATECAST_PROFILE
    log=build/log/bioccheck.log
    (cd build/check && Rscript --vanilla -e 'BiocCheck::BiocCheck(commandArgs(TRUE),
        `no-check-CRAN` = TRUE, `no-check-bioc-help` = TRUE, `no-check-remotes` = TRUE,
        `no-check-bioc-views` = TRUE, `no-check-deprecated` = TRUE,
        `no-check-version-num` = TRUE, `new-package` = FALSE)' "../../$tarball") >"$log" 2>&1 || :
    grep -E '\* (NOTE|WARNING|ERROR):|ERRORS \|' "$log" || tail -n 30 "$log"
    grep -q '^0 ERRORS' "$log" || exit 1
fi
