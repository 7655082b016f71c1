"""What orbits can be computed with; plain Python."""

BACKENDS = ("auto", "agama", "builtin", "galpy")
"""Libraries; ``auto`` is AGAMA where installed, else the built-in one."""
ECCENTRICITIES = ("staeckel", "orbit")
"""Ways to peri- and apocentre: the Staeckel estimate, or integrated orbits."""
POTENTIALS = ("mcmillan17", "mwpotential2014")
"""Potentials: McMillan (2017), the paper's, and MWPotential2014 of Bovy (2015)."""
