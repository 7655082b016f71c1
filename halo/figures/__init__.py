"""Figures: what is computed elsewhere, drawn."""
