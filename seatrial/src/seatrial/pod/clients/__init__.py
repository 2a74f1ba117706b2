"""HTTP, DNS and SQL clients for debug pods, on the PATH of `seatrial debug`.

They are files of the agent's ConfigMap: standard library only, Python 3.9 or newer.
"""
