"""Next edits at a state: by pattern or written by a model, and whether one or the completion is offered."""
