"""What everybody's teacher must hold to, as tests to inherit. Needs pytest; nothing else here imports it."""
