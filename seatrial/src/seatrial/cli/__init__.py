"""Parse the command line with click, one file for each command; what a command does is in `seatrial.app`."""
