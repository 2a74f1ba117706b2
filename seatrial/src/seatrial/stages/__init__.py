"""The nine stages of a run, one in each file: `run` takes results of earlier stages and returns a report."""
