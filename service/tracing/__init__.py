"""A trace of each request, for those who collect traces. Only `opening` may be imported where none are wanted."""
