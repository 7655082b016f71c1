"""Compiled hot loops through numba: here for the CPU, in `cuda` for GPUs; imported only where they are used."""

# Replicates that lie side by side, one to each lane of the compiled kernels.
LANES = 16
