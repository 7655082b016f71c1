"""Compiled hot loops through numba, `cpu` and `cuda`; imported only where they are used."""
