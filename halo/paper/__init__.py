"""The whole paper: every figure, table and number."""
