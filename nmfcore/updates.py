"""Names that the kernels import; to go as soon as they import them from `rules`."""

from .rules.multiplicative import ROOM, MultiplicativeUpdate

__all__ = ["ROOM", "MultiplicativeUpdate"]
