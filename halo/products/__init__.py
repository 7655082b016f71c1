"""What is computed from a fit: profile, boundary, tracks, densities, memberships and more."""
