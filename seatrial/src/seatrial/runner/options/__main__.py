"""Print the reference page of pytest's options: `python -m seatrial.runner.options`."""

from seatrial.runner.options.table import render

if __name__ == "__main__":
    print(render(), end="")
