"""The study: every row for every student, and what may be said of the differences between them."""
