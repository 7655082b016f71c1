"""What progress is told of while a survey is prepared."""

READ = ("read allStar", "read astroNN")
"""Of APOGEE DR17."""
MEMBERS, CUTS, ORBITS = "cluster members", "quality cuts", "orbits"
LATER = (CUTS, ORBITS)
"""After whatever was read."""


def reading(key: str) -> str:
    """Return what the reading of a mapping's source is called."""
    return f"read {key or 'catalogue'}"
