"""The driver for real time: the same nodes and flows as in the simulator, over sockets, with checkpoints on disk."""
