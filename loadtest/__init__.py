"""A client of the service that behaves like its users and checks every answer. It imports nothing of ours."""
