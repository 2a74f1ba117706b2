"""Find problems in the timeline of a run, each with its interval and the pods that it concerns. No I/O."""
