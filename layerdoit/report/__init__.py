"""What the recorded runs say as a whole: hit rates, times per kind of change, sizes; for people, pages and CI.

Figures are counted from the history alone. Where it says nothing, the report says nothing.
"""
