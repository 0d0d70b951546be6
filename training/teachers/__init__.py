"""The big models that are learnt from: fitted offline, they leave their knowledge as files and are forgotten."""
