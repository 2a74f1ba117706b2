"""A pytest on the host that runs no test: it shows what the one in the pod reports.

Runs in a process of its own, started by `display.py`: pytest, its plugins and what they do to the interpreter stay out
of the tool's; a terminal is a terminal; and the memory goes when the run ends.

What it shows is hostile. It reads the log by the same decoder as the tool. It imports nothing from the project, the
working directory or PYTHONPATH, reads no conftest and no ini file but its own, and has no plugin that writes files but
ours.
"""
