"""Commands: files in, files out, one line printed."""
