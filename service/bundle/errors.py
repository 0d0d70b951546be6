"""What can be wrong with a bundle. Each message names the file.

BundleError
├── BundleMissing       a file, or the whole folder, is not there
├── BundleCorrupt       a file is not what the manifest says: hash, length, shape or content
├── BundleIncompatible  whole, but of a schema that this code does not read
└── SelfTestFailed      whole, but the model does not give the stored answers
"""


class BundleError(Exception):
    """A bundle that must not be served."""


class BundleMissing(BundleError):
    """A file of the bundle, or its folder, is not there."""


class BundleCorrupt(BundleError):
    """A file of the bundle is not what its manifest says."""


class BundleIncompatible(BundleError):
    """The bundle is of a schema version that this code does not read."""


class SelfTestFailed(BundleError):
    """The model in the bundle does not reproduce the golden outputs stored beside it."""
