"""Joint distillation: what several teachers say of a row, weighed by confidence and consistency, is a second target.

The paper: Sun et al., "Distillation is All You Need for Practically Using Different Pre-trained Recommendation Models",
arXiv 2401.00797. It names the ideas; the formulas here are a reconstruction, written down in docs/distillation.md.
Everywhere: M teachers, R rows, C candidates; teacher distributions are log-probabilities float[M, R, C].
"""
