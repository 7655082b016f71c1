"""What a star's properties are called, cuts on them and their record, the prepared catalogue."""
