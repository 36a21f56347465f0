"""The Chinese manner: ink on paper or silk, layered washes, mist, dry strokes, emptiness, a seal."""
