"""`python -m seatrial.inpod.options`: print the reference page."""

from seatrial.inpod.options.table import render

if __name__ == "__main__":
    print(render(), end="")
