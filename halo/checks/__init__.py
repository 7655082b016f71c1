"""How far components can be relied on: repeats, planted streams, penalties."""
