"""The host-side renderer: a pytest on the host that runs no tests and shows the results of the pytest in the pod.

`renderer_process.py` starts it as a child process. So pytest and its plugins do not affect seatrial's interpreter, the
renderer can use a terminal, and its memory is freed when the run ends.

The results are hostile. The renderer reads the log by the same decoder as seatrial. It imports nothing from the
project, the working directory or PYTHONPATH, and reads no conftest and no ini file but its own. No plugin but its own
may write files.
"""
