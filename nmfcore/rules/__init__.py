"""Update rules, one per file: each takes a problem and its factors and returns better factors."""
