"""What commands work on, a module for each, so that a command imports what it needs and nothing else."""
