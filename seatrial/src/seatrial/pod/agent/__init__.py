"""Run pytest in the pod and write its results. Standard library and pytest only, Python 3.9 or newer.

A ConfigMap mounts the files in the pod, where the package is named `seatrial_agent`. It is started as
`python -I -S …/seatrial_agent/agent.py COMMAND`. PYTEST_DONT_REWRITE
"""
