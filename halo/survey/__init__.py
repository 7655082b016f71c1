"""From the files of a survey, or a user's own catalogue, to the prepared catalogue."""
