"""Small clients for a look around from inside the cluster: `seatrial debug` has them on its PATH.

Files of the agent's ConfigMap, run as its commands: standard library only, Python 3.9 or newer.
"""
