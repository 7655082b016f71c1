"""Stars to V: bins, histograms of chemistry."""
