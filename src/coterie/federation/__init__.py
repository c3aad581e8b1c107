"""The sans-IO protocol: what a participant does in a federation, free of clocks, sockets, threads and tensor arithmetic."""
