"""The Western manner: light from one side, modelled form, perspective, warm and cool oil paint."""
