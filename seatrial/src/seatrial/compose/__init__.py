"""The Compose project of an environment: its file, the runner in it, and its containers."""
