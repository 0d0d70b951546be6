"""Tutors: each marks a student's answers in its own way. One file, one way; `distillation.lessons` picks by the row."""
