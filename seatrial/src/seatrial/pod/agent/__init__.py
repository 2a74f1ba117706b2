"""What runs inside the pod. Standard library only, Python 3.9 or newer; imports nothing of seatrial's.

In the pod the package is called `seatrial_agent`. Its files come by a ConfigMap and are started as
`python -I -S …/seatrial_agent/agent.py COMMAND`. PYTEST_DONT_REWRITE
"""
