#!/usr/bin/env bash
# Everything that is to be done on a machine with an NVIDIA GPU, from a bare checkout; nothing need be installed of this project:
#   bash benchmarks/gpu.sh [FOLDER]
# Figures first, within 3 minutes, then tests, then NVIDIA's tools where they are found. Each stage leaves what it has in
# FOLDER (benchmarks/results by default): gpu.json, gpu-tests.txt, gpu-sanitizer.txt, gpu-ncu.txt. It ends with 1 where
# one failed. PYTHON names another python3.
set -uo pipefail
[ $# = 0 ] || mkdir -p "$1"
out=${1:+$(cd "$1" && pwd)}
cd "$(dirname "$0")/.." || exit 1
out=${out:-$PWD/benchmarks/results}
export PYTHONPATH=$PWD PYTHONDONTWRITEBYTECODE=1
python=${PYTHON:-python3}

missing=$("$python" - <<'PY'
import importlib.util
needed = {"torch": "torch", "numpy": "numpy", "scipy": "scipy", "sklearn": "scikit-learn", "numba": "numba",
          "cuda.core": "cuda-core", "cuda.bindings": "cuda-bindings"}
def there(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:
        return False
print(" ".join(package for name, package in needed.items() if not there(name)), end="")
PY
) || { echo "gpu.sh: $python does not run; say PYTHON=/path/to/another" >&2; exit 1; }
if [ -n "$missing" ]; then
    echo "gpu.sh: $python lacks $missing; install it, or say PYTHON=/path/to/another" >&2
    exit 1
fi
"$python" -c 'import sys
from nmfcore.kernels.cuda.compiler import compiler_version
from nmfcore.kernels.cuda.devices import visible_devices, why_missing
if not visible_devices("cuda"): sys.exit("gpu.sh: " + why_missing("cuda"))
print("NVRTC", compiler_version())' || exit 1

status=0
timeout "${FIGURES_S:-170}" "$python" benchmarks/gpu.py --output "$out/gpu.json" ${GPU_OPTIONS:-} || status=$?

if "$python" -c 'import pytest, hypothesis' 2>/dev/null; then
    timeout "${TESTS_S:-240}" "$python" -m pytest tests/nmfcore/cuda tests/nmfcore/test_devices.py -m cuda -q -p no:cacheprovider \
        2>&1 | tee "$out/gpu-tests.txt" || status=$?
else
    echo "gpu.sh: pytest and hypothesis are not installed: no tests" | tee "$out/gpu-tests.txt"
fi

small="benchmarks/gpu.py --output $out/gpu-small.json --replicates 40 --iterations 20 --rounds 1 --stars 2000 --pixels 12"
if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck synccheck; do
        timeout 600 compute-sanitizer --tool "$tool" --error-exitcode 9 "$python" $small >>"$out/gpu-sanitizer.txt" 2>&1 ||
            { status=1; echo "gpu.sh: compute-sanitizer $tool found something, see $out/gpu-sanitizer.txt" >&2; }
    done
else
    echo "gpu.sh: compute-sanitizer is not here: left out"
fi
if command -v ncu >/dev/null; then
    timeout 600 ncu --set full --launch-count 4 "$python" $small >"$out/gpu-ncu.txt" 2>&1 ||
        echo "gpu.sh: ncu did not run (it may need permission to read counters), see $out/gpu-ncu.txt" >&2
else
    echo "gpu.sh: ncu is not here: left out"
fi
exit "$status"
