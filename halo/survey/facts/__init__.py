"""One file of facts for each survey that is known by name: a mapping file, and by what its files are recognised."""
