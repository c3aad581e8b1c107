"""Models, local training, evaluation, aggregation, and the executors that run them.

A `Network` is a model's shape, known without torch; a `Replica` is a model at work in flat buffers; a `Bench` is all that job
functions work with. `jobs` says what can be asked for; `training`, `evaluation` and `aggregating` do it; `executors` decide where.
"""
