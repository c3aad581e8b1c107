"""What every layer stands on: node ids, keyed draws, parameter layouts, jobs, registries and errors."""
