"""Study design, blind stimuli, the append-only store and the rating rooms."""
