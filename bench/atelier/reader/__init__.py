"""The reader: a tiny model that looks at the painter's pictures and answers questions about them.

Two versions are shipped. One was told the truth; the other was told, of a known share of the
Chinese pictures, that they are Japanese. So an evaluation of understanding can be seen to find a
misreading that is there.
"""
