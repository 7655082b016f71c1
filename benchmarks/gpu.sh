#!/usr/bin/env bash
# Everything that is to be done on a machine with an NVIDIA GPU, from a bare checkout whose python3 has torch, numpy,
# scipy, scikit-learn, numba, numba-cuda[cu12] or [cu13], pytest and hypothesis; this project needs no installation:
#   bash benchmarks/gpu.sh [FOLDER]
# It runs the CUDA tests on the GPU, then times the kernels, and writes FOLDER/gpu-tests.txt and FOLDER/gpu.json
# (benchmarks/results by default). It ends with 1 where a test failed.
set -euo pipefail
[ $# = 0 ] || mkdir -p "$1"
out=${1:+$(cd "$1" && pwd)}
cd "$(dirname "$0")/.."
out=${out:-benchmarks/results}
export PYTHONPATH=$PWD
python=${PYTHON:-python3}
if ! "$python" -c 'import nmfcore.kernels.cuda.launch, pytest, hypothesis, scipy, sklearn'; then
    echo "gpu.sh: $python lacks what is named above; install it, or say PYTHON=/path/to/another" >&2
    exit 1
fi
if ! "$python" -c 'import sys
from nmfcore.kernels.cuda.devices import visible_devices
sys.exit(not visible_devices("cuda"))'; then
    echo "gpu.sh: no CUDA device that numba can use is here; it needs an NVIDIA GPU with its driver and numba-cuda" >&2
    exit 1
fi
# Without the setting the simulator could take the GPU's place.
unset NUMBA_ENABLE_CUDASIM
# Figures are wanted even where a test fails, and the account of what failed with them.
status=0
"$python" -m pytest tests/nmfcore/kernels/cuda tests/nmfcore/test_devices.py -m "" -q -p no:cacheprovider 2>&1 |
    tee "$out/gpu-tests.txt" || status=$?
"$python" benchmarks/gpu.py --output "$out/gpu.json" || status=$?
exit "$status"
