"""Handle pytest's options: a table says which act in the pod or on the host, and command lines are split by it."""

from seatrial.runner.options.command_line import Invocation, ReportFile, Unsure, split_command_line
from seatrial.runner.options.table import OPTIONS, Effect, Option, render, report_options

__all__ = [
    "OPTIONS",
    "Effect",
    "Invocation",
    "Option",
    "ReportFile",
    "Unsure",
    "render",
    "report_options",
    "split_command_line",
]
