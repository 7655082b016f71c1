"""Variables of stars, cuts on them and the cut-flow, the prepared catalogue."""
