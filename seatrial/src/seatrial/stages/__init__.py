"""One file, one stage: each is `run(ctx) -> StageResult` (see `seatrial.stages.context`)."""
