"""``python -m halonmf`` is the command ``halonmf``."""

from halonmf.cli import main

main()
