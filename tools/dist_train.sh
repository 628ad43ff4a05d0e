#!/usr/bin/env bash
# Train with one process per GPU (torchrun); without GPUs, GPUS processes on the CPU over gloo.
# Usage: tools/dist_train.sh CONFIG GPUS [options of tools/train.py]
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR, PORT on each.  PYTHON: interpreter.
set -euo pipefail
usage() { sed -n '2,4s/^# //p' "$0"; }
case "${1:-}" in -h | --help) usage && exit 0 ;; esac
[ $# -ge 2 ] || { usage >&2 && exit 2; }
config=$1 gpus=$2
shift 2
root=$(cd "$(dirname "$0")/.." && pwd)
PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$gpus" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    "$root/tools/train.py" "$config" --launcher pytorch "$@"
