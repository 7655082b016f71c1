"""Runs of thousands of fits: plan, files, workers, summary."""
