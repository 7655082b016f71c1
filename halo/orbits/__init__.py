"""Frames, the potential, orbits and actions, by three backends."""
