"""The errors a user can meet; the command line turns each into one line and an exit code."""


class HalonmfError(Exception):
    """A known failure, explained in one line.

    Attributes
    ----------
    exit_code : int
        What the command line exits with.
    """

    exit_code = 1


class InputError(HalonmfError):
    """Bad input data: unreadable, incomplete, or not what it claims to be."""

    exit_code = 3


class UsageError(HalonmfError):
    """A setting that makes no sense, or contradicts another."""

    exit_code = 2


class OutputError(HalonmfError):
    """A result that cannot be written."""

    exit_code = 5


class InterruptedRunError(HalonmfError):
    """Work that was asked to stop, and can be gone on with."""

    exit_code = 75


class UnreachableError(HalonmfError):
    """A server that gives no answer for now; the same command goes on later."""

    exit_code = 75


class CancelledError(HalonmfError):
    """Work that the user interrupted, and can go on with."""

    exit_code = 130
