"""Files: written whole or not at all, read with suspicion; provenance."""
