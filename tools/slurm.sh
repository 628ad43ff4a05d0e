#!/usr/bin/env bash
# Train or test as a Slurm job, one task per GPU.
# Usage: tools/slurm.sh train PARTITION JOB_NAME CONFIG WORK_DIR [options of tools/train.py]
#        tools/slurm.sh test PARTITION JOB_NAME CONFIG CHECKPOINT [options of tools/test.py]
# Environment: GPUS (4) in all, GPUS_PER_NODE (at most 8), CPUS_PER_TASK (5), SRUN_ARGS, PYTHON.
set -euo pipefail
usage() { sed -n '2,5s/^# //p' "$0"; }
case "${1:-}" in -h | --help) usage && exit 0 ;; esac
[ $# -ge 5 ] || { usage >&2 && exit 2; }
task=$1 partition=$2 job=$3 config=$4 target=$5
shift 5
case "$task" in
    train) target=(--work-dir "$target") ;;
    test) ;;
    *) echo "tools/slurm.sh: train or test, not '$task'" >&2 && usage >&2 && exit 2 ;;
esac
root=$(cd "$(dirname "$0")/.." && pwd)
gpus=${GPUS:-4}
per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
# shellcheck disable=SC2086  # SRUN_ARGS holds several arguments
PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" exec srun -p "$partition" --job-name="$job" \
    --gres="gpu:$per_node" --ntasks="$gpus" --ntasks-per-node="$per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$root/tools/$task.py" "$config" "${target[@]}" \
    --launcher slurm "$@"
