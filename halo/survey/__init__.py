"""A survey's files, or a user's own, to the prepared catalogue."""
