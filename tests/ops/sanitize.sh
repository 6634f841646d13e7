#!/usr/bin/env bash
# Builds the CPU kernels with AddressSanitizer and UndefinedBehaviorSanitizer beside the normal library, and runs the
# operators' tests with them. A finding aborts the run.  Usage: sanitize.sh PYTHON [arguments of pytest]
set -euo pipefail
python=$(realpath -s "$1")
shift
cd "$(dirname "$0")/../.."
folder=$PWD/build/sanitize
mkdir -p "$folder"
BEV_OPS_SANITIZE=1 BEV_OPS_CUDA=0 BEV_OPS_REQUIRE_BUILD=1 "$python" setup.py -q build \
    --build-base "$folder/temporary" --build-lib "$folder/lib" >"$folder/build.log" 2>&1 || { tail -50 "$folder/build.log"; exit 1; }
compiler=${CXX:-g++}
preload=$("$compiler" -print-file-name=libasan.so):$("$compiler" -print-file-name=libubsan.so)
run() {
    PYTHONPATH=$folder/lib LD_PRELOAD=$preload ASAN_OPTIONS=detect_leaks=0 \
        UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 OMP_NUM_THREADS=2 "$python" "$@"
}
run -c 'import bev_ops, sys; found = bev_ops.__file__; print("sanitized:", found); sys.exit("build/sanitize" not in found)'
# The compiler, the exporter and the benchmark start no kernel that the other tests don't.
run -m pytest tests/ops -p no:cacheprovider -m "not slow" -k "not compile and not export and not opcheck and not benchmarks" "$@"
