"""`python -m seatrial.runner.options`: print the reference page."""

from seatrial.runner.options.table import render

if __name__ == "__main__":
    print(render(), end="")
