"""Where data comes from: each source turns its own format into the same raw table and items."""
