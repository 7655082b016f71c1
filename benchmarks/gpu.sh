#!/usr/bin/env bash
# Everything that is to be done on a machine with an NVIDIA GPU, from a bare checkout that has torch, numpy, scikit-learn,
# pytest, hypothesis and pytest-benchmark; nothing needs to be installed:   bash benchmarks/gpu.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-benchmarks/results}
mkdir -p "$out"
export PYTHONPATH=$PWD
python3 -m pytest tests/nmfcore/test_devices.py -m "" -q -p no:cacheprovider
python3 benchmarks/gpu.py --output "$out/gpu.json"
