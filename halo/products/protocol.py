"""What every product can do: one protocol for files, terminals and checks.

Products are the results of this package: a fit and its applications, what is computed from them, sub-populations,
checks, simulations, summaries of ensembles. They need not inherit from anything.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from astropy.table import Table


@runtime_checkable
class Product(Protocol):
    """A result that can be written as a table, described in words, and asked whether all went well.

    A product with several tables also has ``tables()``, a dict by name whose first entry is that of `table`. One whose
    table is not what programs want has ``record()``, a dict; `record.record` makes it of the others.
    """

    def table(self) -> Table:
        """Return the result as a table with units; settings and single numbers stand in its metadata."""
        ...

    def describe(self) -> str:
        """Return the result in lines for a terminal.

        Commands print all of them, with ``--quiet`` only the last one, which is the result in a line.
        """
        ...

    def problems(self) -> str:
        """Return what did not converge, in one line; empty where all is well. A command then exits with 4."""
        ...
