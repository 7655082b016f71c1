"""Public archives: which catalogues can be fetched from where, how they are, and a sample that needs no network."""
