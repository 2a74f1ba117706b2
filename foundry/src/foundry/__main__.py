"""`python -m foundry` is the `foundry` command."""

from foundry.cli import main

if __name__ == "__main__":
    main()
