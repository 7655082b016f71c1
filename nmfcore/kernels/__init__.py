"""Compiled hot loops: `cpu` through numba; imported only where they are used."""
