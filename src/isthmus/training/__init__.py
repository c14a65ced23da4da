"""Training: the loop, the runtime that it speaks to, checkpoints and progress."""
