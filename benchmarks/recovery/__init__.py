"""The recovery experiment: models of known bias, measured by the whole chain."""
