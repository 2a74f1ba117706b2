"""Run the command line as `python -m foundry`."""

from foundry.cli import main

if __name__ == "__main__":
    main()
