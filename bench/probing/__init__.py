"""What programs see in a run: style, diversity, clips and faults, beside what raters see."""
