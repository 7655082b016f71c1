"""One matrix at a time on the CPU: accelerated alternating least squares in NumPy, dense or sparse."""
