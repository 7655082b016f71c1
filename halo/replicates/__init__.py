"""Resampled stars and every product of many fits at once."""
