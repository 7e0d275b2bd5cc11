"""How good a model is, and whether to believe it: metrics, leakage, plots, report. No learner is imported here."""
