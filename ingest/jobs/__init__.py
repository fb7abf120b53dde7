"""Jobs: work asked for in one process (the dashboard, the command) and done in another (a worker).

A table says how far each job is, and so which is next. It is a SQLite file of the data directory,
or, where the settings name one, on a Redis server that workers on several machines share. A library
for queues gives less than the table has to have: a list of jobs with their states, progress, the
cancelling of one that runs, and that a job of a worker which was killed is done by another.
Importing this loads no decoder and no torch.

Live cameras are no jobs: they never end, and a queue of things to be done has no place for them.
``sightline serve`` and ``sightline watch`` run them, see :mod:`ingest.cameras.supervisor`.
"""
