"""The node as processes: the daemon, the processes it starts, and how the parts are put together.

`app` puts the parts together, `daemon` starts and stops them. Receiving and analysing may each run
in several processes (`receiver_pool`, `worker_pool`); `receiver` and `worker` are what those run,
and `child_process` is what both kinds have in common.
"""
