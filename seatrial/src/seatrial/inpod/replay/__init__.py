"""A pytest on the host that runs no test: it shows what the one in the pod reports.

Runs in a process of its own (`python -m seatrial.inpod.replay`): pytest, its plugins and what they do to the
interpreter stay out of the tool's; a terminal is a terminal; and the memory goes when the run ends.
"""
