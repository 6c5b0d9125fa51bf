#!/usr/bin/env bash
# The fuzz targets by libFuzzer, one after the other. Ends non-zero at the first crash, hang or want of memory.
#
#   tests/fuzz/run.sh 3600               the long form: an hour each
#   tests/fuzz/run.sh 20                 the short form: twenty seconds each
#   tests/fuzz/run.sh 900 log smtp       these two only
#
# A crash leaves its input in target/fuzz/artifacts/<target>/; the same input again:
#   target/fuzz/x86_64-unknown-linux-gnu/release/<target> target/fuzz/artifacts/<target>/crash-…
# What a run found interesting is kept in target/fuzz/corpus/<target>/ and read by the next.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:?how many seconds for each target?}
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(log snapshot webhook batch smtp)

# libFuzzer's instrumentation and the address sanitizer are unstable flags of a stable compiler.
export RUSTC_BOOTSTRAP=1
# What the sanitizer keeps of freed memory, and the names of a backtrace, would count as the target's memory.
export ASAN_OPTIONS=quarantine_size_mb=16 RUST_BACKTRACE=0
command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked
cargo fuzz build --fuzz-dir tests/fuzz --target-dir target/fuzz

out=target/fuzz
bin=$out/$(rustc -vV | sed -n 's/^host: //p')/release
for target in "${targets[@]}"; do
  mkdir -p "$out/corpus/$target" "$out/artifacts/$target"
  echo "== $target, $seconds s"
  FUZZ_SEEDS=$out/corpus/$target "$bin/$target" "$out/corpus/$target" "-artifact_prefix=$out/artifacts/$target/" \
    "-max_total_time=$seconds" -rss_limit_mb=256 -malloc_limit_mb=128 -timeout=20 -max_len=4096 \
    -reload=0 -detect_leaks=0 -print_final_stats=1 2>"$out/artifacts/$target.log" || {
    tail -n 40 "$out/artifacts/$target.log"
    exit 1
  }
  grep -E "DONE|stat::(number_of_executed_units|average_exec_per_sec|new_units_added|peak_rss_mb)" "$out/artifacts/$target.log"
  tail -n 200 "$out/artifacts/$target.log" | grep -E " cov: " | tail -n 1 || true
done
