#!/usr/bin/env bash
# Install mmcv with compiled operators that fit the installed torch, and show how far it is.
# Usage: tools/build_mmcv.sh PYTHON [pip options]      MAX_JOBS=N limits the parallel compilers.
set -euo pipefail

usage() { sed -n '2,3s/^# //p' "$0"; }
case "${1:-}" in -h | --help) usage && exit 0 ;; esac
[ $# -ge 1 ] || { usage >&2 && exit 2; }
python=$1
shift
root=$(cd "$(dirname "$0")/.." && pwd)
log=$("$python" -c 'import sys; print(sys.prefix)')/mmcv-build.log

# The operators load, and have CUDA kernels if torch sees a GPU.
works() {
    "$python" - 2>/dev/null <<'PY'
import torch
from mmcv.ops import get_compiling_cuda_version

assert not torch.cuda.is_available() or get_compiling_cuda_version() != 'not available'
PY
}

# ninja prints [done/all] for each compiled file; a terminal gets one moving line, a log a few.
show_progress() {
    local line step=-1
    while IFS= read -r line; do
        printf '%s\n' "$line" >&3
        if [[ $line =~ \[([0-9]+)/([0-9]+)\] ]]; then
            local done=${BASH_REMATCH[1]} all=${BASH_REMATCH[2]}
            local text="    compiled $done of $all files after $((SECONDS / 60)) min $((SECONDS % 60)) s"
            if [ -t 1 ]; then
                printf '\r%s' "$text"
                [ "$done" -lt "$all" ] || printf '\n'
            elif [ $((done * 10 / all)) -gt $step ]; then
                step=$((done * 10 / all))
                printf '%s\n' "$text"
            fi
        fi
    done 3>"$log"
}

# No debug symbols and -O1 halve the compile time; on a CPU no compiled operator is critical.
build() {
    CFLAGS="${CFLAGS:--g0 -O1}" CXXFLAGS="${CXXFLAGS:--g0 -O1}" \
        MAX_JOBS="${MAX_JOBS:-$(getconf _NPROCESSORS_ONLN)}" \
        "$python" -m pip install -v --no-build-isolation \
        "$(grep -o '^onedl-mmcv[^ #]*' "$root/requirements/openmmlab.txt")" \
        -c "$root/requirements/constraints.txt" "$@" 2>&1 | show_progress
}

fail() {
    echo "$1" >&2
    exit 1
}

if works; then
    echo 'mmcv is installed and its operators load'
    exit 0
fi
command -v "${CXX:-c++}" >/dev/null ||
    fail 'mmcv needs a C++ compiler (Debian, Ubuntu: apt install g++; macOS: xcode-select --install)'
header=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')/Python.h
[ -f "$header" ] ||
    fail "mmcv needs Python's headers, $header is missing (Debian, Ubuntu: apt install python3-dev)"

echo 'Installing mmcv. Unless pip has it in its cache, it is compiled, once:'
echo 'about 6 minutes on 2 free cores; on a GPU machine, with CUDA kernels, up to 30.'
build "$@" || fail "mmcv was not built. Errors in $log (a second call of make starts this step anew):
$(grep -iE 'error|killed|no space' "$log" | grep -v '^ *WARNING: ' | tail -n 20)"
if ! works; then
    # pip's cache does not know which torch a build was made for
    echo 'The build in the cache of pip does not fit this torch: compiling it again.'
    build --no-cache-dir --force-reinstall --no-deps "$@" && works ||
        fail "mmcv was built, but its operators do not load (see $log and docs/install.md)"
fi
