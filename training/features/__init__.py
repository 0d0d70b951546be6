"""Frozen encoders: what an item's content looks like to a model, computed once per data set."""
