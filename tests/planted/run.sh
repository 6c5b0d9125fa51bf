#!/usr/bin/env bash
# Seventeen bugs, planted one after the other into a copy of the sources, and the rung that must catch each.
#
#   bash tests/planted/run.sh            all seventeen
#   bash tests/planted/run.sh 03 10      these two
#
# A planted bug that does not build proves nothing, so it is built first; one that is not caught ends this with an error.
set -uo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$root"/{Cargo.toml,Cargo.lock,.clippy.toml,src,actors,templates,tests,benches,README.md} "$work"/
# A directory of its own: cargo takes a copy of a package for the package, and a build with a bug in it for a fresh one.
export CARGO_TARGET_DIR=${PLANTED_TARGET_DIR:-$root/target/planted} CARGO_INCREMENTAL=1 RUST_BACKTRACE=0 RESTOCKD_SEEDS=${RESTOCKD_SEEDS:-60}
cd "$work" || exit 1

# What is planted, and which test must fail by it: package, target, filter.
rung() {
  case "$1" in
    04*|05*|06*) echo "restockd --test=damage" ;;
    09*) echo "restockd --test=engine a_restock_whose_list" ;;
    13*|14*|15*|16*|17*) echo "restockd-core --lib scheduler" ;;
    *) echo "restockd --test=simulation whatever" ;;
  esac
}

caught=0 missed=()
for patch in "$root"/tests/planted/*.patch; do
  name=$(basename "$patch" .patch)
  if [ $# -gt 0 ] && [[ ! " $* " == *" ${name%%-*} "* ]]; then continue; fi
  patch -p1 --quiet <"$patch" || { echo "$name does not apply any more"; exit 1; }
  read -ra tests <<<"$(rung "$name")"
  cargo test --quiet --no-run -p "${tests[@]:0:2}" >build.log 2>&1 || { tail -n 30 build.log; echo "$name does not build"; exit 1; }
  if cargo test -p "${tests[@]}" >rung.log 2>&1; then
    missed+=("$name")
    echo "MISSED  $name by ${tests[*]}"
  else
    caught=$((caught + 1))
    echo "caught  $name by ${tests[*]}: $(grep -A1 -m1 'panicked at' rung.log | tail -n 1 | cut -c1-110)"
  fi
  patch -p1 --quiet --reverse <"$patch"
done
echo "$caught planted bugs caught, ${#missed[@]} missed"
[ ${#missed[@]} -eq 0 ] && [ $caught -gt 0 ]
