"""Hyperparameter tuning: which training job to try next, and what came of those tried."""
