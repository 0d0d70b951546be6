"""How good a ranking is, measured the same way for teachers, students and simple floors."""
