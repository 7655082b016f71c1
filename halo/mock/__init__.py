"""A mock survey with known truth."""
