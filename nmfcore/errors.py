"""The error that the engine raises for data or arguments that it cannot use."""


class ProblemError(ValueError):
    """The data or an argument cannot be used; the message tells which, what was expected and what was found."""
