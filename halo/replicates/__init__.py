"""Replicates: resampled stars, their fits, and every product of many fits."""
