"""Who takes part in ``benchmarks/speed.py``: isthmus, its peers, and the floor under all of them.

A contestant is a module with a function for every task that it takes part in, named as the task is.
The function prepares the work (imports, data, compilation, one warm round) and gives a callable
that does one round of it: :class:`Round`. Each runs in a process of its own,
``python -m benchmarks.contestants NAME TASK FOLDER``, which waits for a line on its input, does a
round and answers with a line of JSON; so all rounds of a task can be taken in turns.
"""
