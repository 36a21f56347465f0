"""The organiser's view: a page of its own, on a port of its own, behind a password."""
