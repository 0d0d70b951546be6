"""The contract between offline and online: what a model bundle is, and the code both sides share.

Only the standard library, numpy and pydantic are imported here: training and export use it without the service.
"""

from service.bundle.catalog import PAD, ItemCatalog
from service.bundle.errors import BundleCorrupt, BundleError, BundleIncompatible, BundleMissing, SelfTestFailed
from service.bundle.files import Golden, ModelBundle, seal
from service.bundle.history import history_window
from service.bundle.item_cards import ItemCard
from service.bundle.item_images import ItemImages
from service.bundle.manifest import BundleDraft, Manifest
from service.bundle.packed_strings import PackedStrings

__all__ = [
    "PAD",
    "BundleCorrupt",
    "BundleDraft",
    "BundleError",
    "BundleIncompatible",
    "BundleMissing",
    "Golden",
    "ItemCard",
    "ItemCatalog",
    "ItemImages",
    "Manifest",
    "ModelBundle",
    "PackedStrings",
    "SelfTestFailed",
    "history_window",
    "seal",
]
