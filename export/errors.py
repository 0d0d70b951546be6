"""Why an export may be refused.

ExportError         a graph that could not be served, or a folder that must not be written
└── ParityBroken    the graphs do not give what the student gives

In all cases nothing is written, and a bundle that was there stays as it was.
"""


class ExportError(Exception):
    """A student that cannot become a bundle."""


class ParityBroken(ExportError):
    """The ONNX graph and the student disagree."""
