"""Star particles of simulated galaxies, and their true fractions."""
