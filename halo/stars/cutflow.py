"""The cut-flow: how many stars each cut removed; removed and left always sum to the total."""

from dataclasses import dataclass, field
from pathlib import Path

from astropy.table import Table

from ..errors import InputError
from ..io.atomic import write_atomically
from ..io.columns import described


@dataclass(frozen=True)
class CutFlow:
    """Stars removed by each cut, in order.

    Attributes
    ----------
    total : int
        Stars before the first cut.
    names : tuple of str
        The cuts.
    removed : tuple of int
        Stars removed by each, of those that the cuts before it left.
    notes : tuple of str
        What to know of each cut; empty where there is nothing to know of any.
    """

    total: int
    names: tuple[str, ...] = field(default=())
    removed: tuple[int, ...] = field(default=())
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if len(self.names) != len(self.removed):
            raise ValueError(f"names and removed must pair up, got {len(self.names)} and {len(self.removed)}.")
        if self.notes and len(self.notes) != len(self.names):
            raise ValueError(f"names and notes must pair up, got {len(self.names)} and {len(self.notes)}.")
        if self.total < 0 or min(self.removed, default=0) < 0 or self.passed < 0:
            raise ValueError(f"a cut-flow cannot remove {self.removed} of {self.total} stars.")

    @property
    def passed(self) -> int:
        """Stars that pass every cut."""
        return self.total - sum(self.removed)

    @property
    def left(self) -> tuple[int, ...]:
        """Stars left after each cut."""
        running, left = self.total, []
        for count in self.removed:
            running -= count
            left.append(running)
        return tuple(left)

    def removing(self, name: str, count: int) -> "CutFlow":
        """Return the cut-flow with one more cut."""
        notes = (*self.notes, "") if self.notes else ()
        return CutFlow(self.total, (*self.names, name), (*self.removed, count), notes)

    def then(self, later: "CutFlow") -> "CutFlow":
        """Return this cut-flow followed by one that began with the stars that passed it.

        Raises
        ------
        ValueError
            `later` began with another number of stars.
        """
        if later.total != self.passed:
            raise ValueError(f"the later cut-flow begins with {later.total} stars; {self.passed} passed the first.")
        notes = self._every_note() + later._every_note() if self.notes or later.notes else ()
        return CutFlow(self.total, self.names + later.names, self.removed + later.removed, notes)

    def _every_note(self) -> tuple[str, ...]:
        return self.notes or ("",) * len(self.names)

    def to_table(self) -> Table:
        """Columns ``cut``, ``removed``, ``left``, with notes ``note``; the first row, ``total``, removes nothing."""
        columns = {
            "cut": ["total", *self.names],
            "removed": [0, *self.removed],
            "left": [self.total, *self.left],
        }
        return described(Table(columns | ({"note": ["", *self.notes]} if self.notes else {})), "cutflow")

    @classmethod
    def from_table(cls, table: Table) -> "CutFlow":
        """Return the cut-flow that `to_table` wrote.

        Raises
        ------
        InputError
            Columns are missing, or the rows do not sum to the total.
        """
        missing = [name for name in ("cut", "removed", "left") if name not in table.colnames]
        if missing or len(table) == 0:
            raise InputError(f"not a cut-flow: missing columns {', '.join(missing) or 'none'}, {len(table)} rows.")
        texts = {
            column: tuple(n.decode() if isinstance(n, bytes) else str(n) for n in table[column])[1:]
            for column in ("cut", "note")
            if column in table.colnames
        }
        removed = tuple(int(n) for n in table["removed"][1:])
        flow = cls(int(table["left"][0]), texts["cut"], removed, texts.get("note", ()))
        if flow.left != tuple(int(n) for n in table["left"][1:]):
            raise InputError("the cut-flow does not sum to its total; the file is damaged, prepare it again.")
        return flow

    def write(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the table as ECSV.

        Raises
        ------
        OutputError
            The file exists, or cannot be written.
        """
        write_atomically(path, lambda file: self.to_table().write(file, format="ascii.ecsv"), overwrite=overwrite)

    def __str__(self) -> str:
        rows = list(zip(("total", *self.names), ("", *self.removed), (self.total, *self.left), strict=True))
        width = max(len("cut"), *(len(name) for name, _, _ in rows))
        lines = [f"{'cut':<{width}}  {'removed':>9}  {'left':>9}"]
        for name, removed, left in rows:
            gone = f"{removed:,}" if removed != "" else ""
            lines.append(f"{name:<{width}}  {gone:>9}  {left:>9,}")
        lines += [f"{name}: {note}" for name, note in zip(self.names, self.notes, strict=False) if note]
        return "\n".join(lines)
