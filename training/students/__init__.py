"""The small models that are served. Each is one file; `students.registry` knows them by name."""
