"""From stars to V: bins and histograms of chemistry."""
