"""What the lifespan makes and the routes use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from service.door import Door
from service.histories import Histories
from service.models.registry import Models
from service.models.reload import Reloads
from service.scraping import Scraping


@dataclass(frozen=True, eq=False)
class Service:
    """All that a request needs."""

    models: Models
    reloads: Reloads
    histories: Histories
    scraping: Scraping


class State(TypedDict):
    """What every request finds under `request.state`."""

    service: Service
    door: Door
