"""pytest's options: which act in the pod, which on the host, which are refused, and how a command line is split."""

from seatrial.runner.options.command_line import Invocation, ReportFile, Unsure, split_command_line
from seatrial.runner.options.table import OPTIONS, Option, Place, render, report_options

__all__ = [
    "OPTIONS",
    "Invocation",
    "Option",
    "Place",
    "ReportFile",
    "Unsure",
    "render",
    "report_options",
    "split_command_line",
]
