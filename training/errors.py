"""What can be wrong with data on its way in. Each message names the file, and the row and column where there is one.

DataError
├── SourceUnavailable   a source cannot be reached or is not there
├── SourceInvalid       a source's file is not what its format says
├── SplitImpossible     the interactions leave nothing to train on or nothing to evaluate
├── EncoderUnavailable  a text encoder is not installed, or its weights are not the expected ones
├── DatasetMissing      a prepared data set, or a file of it, is not there
└── DatasetCorrupt      files of a prepared data set that do not belong together, or a folder that is no data set
"""


class DataError(Exception):
    """Data that must not be trained on."""


class SourceUnavailable(DataError):
    """A source cannot be reached, or is not there."""


class SourceInvalid(DataError):
    """A file of a source is not what its format says."""


class SplitImpossible(DataError):
    """A split would leave nothing to train on, or nothing to evaluate."""


class EncoderUnavailable(DataError):
    """A text encoder cannot be loaded, or is not the one that was asked for."""


class DatasetMissing(DataError):
    """A prepared data set, or a file of it, is not there."""


class DatasetCorrupt(DataError):
    """The files of a prepared data set contradict its manifest or each other."""
