#!/bin/sh
# compile.sh build | tidy
#
# Called by src/Makevars, in src. `build` compiles the Rust library, offline
# from the vendored crates when the package carries them; `tidy` removes what
# the build leaves behind. Settings arrive from configure as CARGO_BIN,
# TARGET_DIR, PROFILE and TRIPLE.
set -eu

build() {
    if [ -f rust/vendor.tar.xz ]; then
        rm -rf vendor
        xz -dc rust/vendor.tar.xz | tar xf -
        # `directory` is resolved from the folder that holds .cargo, and
        # nothing is to be written outside of the build folder.
        mkdir -p .cargo
        cat >.cargo/config.toml <<'CONFIG'
[source.crates-io]
replace-with = "vendored"
[source.vendored]
directory = "vendor"
CONFIG
        CARGO_HOME=$(pwd)/.cargo
        export CARGO_HOME
        offline=--offline
    else
        offline=
    fi

    case "$TRIPLE" in
    *-windows-gnu)
        # rustc asks for libgcc_eh, which Rtools does not have nor need.
        mkdir -p libgcc_mock
        : >libgcc_mock/libgcc_eh.a
        LIBRARY_PATH="$(pwd)/libgcc_mock${LIBRARY_PATH:+;$LIBRARY_PATH}"
        export LIBRARY_PATH
        CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32.static.posix-gcc.exe
        export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER
        ;;
    esac

    # Two jobs at most is what the repositories allow; one where there is one.
    jobs=2
    [ "${CARGO_BUILD_JOBS:-2}" = 1 ] && jobs=1
    # The job server of an outer make is not ours to use.
    unset MAKEFLAGS MFLAGS CARGO_MAKEFLAGS 2>/dev/null || :
    PATH=$CARGO_BIN:$PATH
    export PATH
    # A kept target folder may come from another version of R, which the
    # build script of extendr-ffi reads but does not watch.
    version=$(cksum <"${R_INCLUDE_DIR:?set by R CMD}/Rversion.h")
    stamp=$TARGET_DIR/Rversion.cksum
    if [ -d "$TARGET_DIR" ] && [ "$(cat "$stamp" 2>/dev/null)" != "$version" ]; then
        cargo clean --manifest-path rust/Cargo.toml --locked $offline -p extendr-ffi \
            --profile "$PROFILE" --target-dir "$TARGET_DIR" ${TRIPLE:+--target "$TRIPLE"}
    fi

    # shellcheck disable=SC2086 # empty means no argument
    cargo build --manifest-path rust/Cargo.toml --lib --locked $offline \
        -j "$jobs" --profile "$PROFILE" --target-dir "$TARGET_DIR" \
        ${TRIPLE:+--target "$TRIPLE"}
    echo "$version" >"$stamp"
}

tidy() {
    rm -rf .cargo vendor libgcc_mock
    # Only our own folder, and not under the hands of a developer.
    if [ -z "${FATECAST_DEV:-}" ] && [ "$TARGET_DIR" = rust/target ]; then
        rm -rf rust/target
    fi
}

case "${1:-}" in
build) build ;;
tidy) tidy ;;
*)
    echo "usage: compile.sh build | tidy" >&2
    exit 2
    ;;
esac
