"""Pages: one fit or one ensemble on one page that can be sent to somebody else."""
