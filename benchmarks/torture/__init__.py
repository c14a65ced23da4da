"""A campaign of attacks: kills, damage, wrong inputs, full disks, threads. Run it as a module."""
