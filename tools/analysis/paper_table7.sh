#!/usr/bin/env bash
# Table 7: parameters and frames per second of LA-MOTR, beside the paper's rows.
# Usage: tools/analysis/paper_table7.sh [--device cuda:0] [options of tools/analysis/paper_table7.py]
# PYTHON: interpreter.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" exec "${PYTHON:-python}" \
    "$root/tools/analysis/paper_table7.py" "$@"
