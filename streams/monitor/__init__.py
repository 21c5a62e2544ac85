"""The monitor: changed customers in, verdicts and alerts out.

In come messages of `reputation.changes` and the passing of time; out go what `streams.alerts` sends and stores. `agent`
has the topic and the timers, `queue` says whose turn it is, `batch` judges them. It stands on top of the other rooms:
only api, which runs it as a stage, and benchmarks import it.
"""
