"""What the engine raises when it is asked for something that cannot be done."""


class ProblemError(ValueError):
    """The data or an argument make no sense; the message says which, what was expected and what was found."""
