"""Models for replay: timed, remembered, or recorded."""
