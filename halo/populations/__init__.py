"""Sub-populations of the halo: chemical regions, Eos's branches, Aurora's branch."""
