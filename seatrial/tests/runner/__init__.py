"""Tests of what runs in the pod and of the host's side of it."""
