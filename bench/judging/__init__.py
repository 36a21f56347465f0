"""Vision–language models as judges of a run's pictures: scales with reasons, and pairs both ways round."""
