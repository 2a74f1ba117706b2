"""The pytest run inside the pod: the agent that goes there, and the host's side of it."""
