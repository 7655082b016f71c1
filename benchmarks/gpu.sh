#!/usr/bin/env bash
# Everything that is to be done on a machine with an NVIDIA GPU, from a bare checkout whose python3 has torch, numpy,
# scipy, scikit-learn, numba, numba-cuda[cu12] or [cu13], pytest and hypothesis; nothing needs to be installed:
#   bash benchmarks/gpu.sh [FOLDER]
# It runs the CUDA tests on the GPU, then times the kernels and writes FOLDER/gpu.json (benchmarks/results by default).
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-benchmarks/results}
export PYTHONPATH=$PWD
python=${PYTHON:-python3}
"$python" -c 'import nmfcore.kernels.launch'
if ! "$python" -c 'import sys
from nmfcore.kernels.launch import visible_devices
sys.exit(not visible_devices("cuda"))'; then
    echo "gpu.sh: no CUDA device that numba can use is here; it needs an NVIDIA GPU with its driver and numba-cuda" >&2
    exit 1
fi
mkdir -p "$out"
# Without the setting the simulator could take the GPU's place.
unset NUMBA_ENABLE_CUDASIM
"$python" -m pytest tests/nmfcore/test_cuda.py tests/nmfcore/test_devices.py -m "" -q -p no:cacheprovider
"$python" benchmarks/gpu.py --output "$out/gpu.json"
