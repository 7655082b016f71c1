"""Sparse batches on shared cells: which kernel solves them, where they start, and how they are solved."""
