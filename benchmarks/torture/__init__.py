"""A campaign of attacks: kills, damage, wrong inputs, full disks, threads. Run it as a module."""

import os

# Workers are copies of a process that has trained already, which pools of threads do not survive.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
