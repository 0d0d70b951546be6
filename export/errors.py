"""Why an export may be refused.

ExportError
└── ParityBroken    the graph does not give what the student gives: no bundle is written
"""


class ExportError(Exception):
    """A student that cannot become a bundle."""


class ParityBroken(ExportError):
    """The ONNX graph and the student disagree."""
