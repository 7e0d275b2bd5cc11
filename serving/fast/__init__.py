"""Models in a quicker form for few rows, and the proof that it answers as the original does.

Read in this order: trees (all trees of an ensemble in one walk), words (TF-IDF of one text), forms (which models have a
quicker form), equality (the proof).
"""
