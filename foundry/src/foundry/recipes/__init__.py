"""Contain one recipe module per artifact. `foundry/README.md` explains how to add one."""
