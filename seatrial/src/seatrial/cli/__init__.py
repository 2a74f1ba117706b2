"""The command line: one file per command. Only `main.py` ends the process or prints an error."""
