"""Models while they serve: how they are opened, leased by requests, exchanged and released."""
