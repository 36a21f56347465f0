"""The Japanese manner: flat colour fields, dark outlines, bands of gradation, waves, a red sun."""
