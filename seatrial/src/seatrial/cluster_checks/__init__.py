"""Bring a cluster into a usable state: check the network of a new one, start the nodes of a stopped one."""
