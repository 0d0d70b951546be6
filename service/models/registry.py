"""Which models this worker serves, and which of them a request gets."""

from __future__ import annotations

from service.models.served import Served


class Models:
    """The models of one worker."""

    def __init__(self, active: Served) -> None:
        self._active = active

    @property
    def active(self) -> Served:
        """The model that answers now. Ask once per request and lease what you got: `with models.active as served:`."""
        return self._active

    def close(self) -> None:
        """Let go of every model."""
        self._active.close()
