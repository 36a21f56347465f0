"""Many workers on one run: who does which batch, on this host, by Ray or by Slurm."""
