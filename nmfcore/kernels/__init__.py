"""Compiled hot loops through numba: here for the CPU, in `cuda` for GPUs; imported only where they are used."""
