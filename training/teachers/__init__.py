"""The big models that are learnt from: fitted to a catalogue offline, they leave their knowledge as files and are forgotten."""
