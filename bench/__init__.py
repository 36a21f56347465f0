"""Suites, models, plan, generation, manifest and the join: prompts in, pictures out."""
