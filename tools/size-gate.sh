#!/bin/sh
# The archive of crates and the source tarball stay under 5 MB, and the lock
# file holds one version of ndarray, without which arrays could not be passed
# from crate to crate. Reads what tools/dist.sh wrote.
set -eu
cd "$(dirname "$0")/.."
limit=5000000
status=0
for file in build/dist/vendor.tar.xz build/dist/fatecast_*.tar.gz; do
    size=$(wc -c <"$file")
    echo "$file: $size bytes, limit $limit"
    [ "$size" -lt "$limit" ] || status=1
done
copies=$(grep -c '^name = "ndarray"$' src/rust/Cargo.lock)
echo "versions of ndarray in Cargo.lock: $copies"
[ "$copies" = 1 ] || status=1
exit $status
