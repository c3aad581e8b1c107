"""Tasks: data sets, how they are dealt out to nodes, node-local preprocessing, and how skewed the result is."""
