"""Damaged and hostile files through the command line: ``make fuzz``, or ``python -m tests.fuzz --seed 1``."""
