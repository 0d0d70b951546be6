"""The operations about items: their cards, and what is like them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from service.errors import UnknownItem
from service.id_paths import item_path
from service.openapi import errors
from service.patience import Patience
from service.recommending import ranked_items
from service.routes import CallerHere, ObservedHere, ServiceHere
from service.schemas import Card, CardsResponse, ItemsParameters, SimilarParameters, SimilarResponse
from service.similar import SimilarTo

ItemInPath = Annotated[str, Path(min_length=1, max_length=256)]
router = APIRouter()


@router.get(
    item_path("/similar"),
    response_model_exclude_unset=True,
    responses=errors(404, 422, 429, 500),
    summary="Find items like one",
    tags=["items"],
)
async def similar(
    item_id: ItemInPath,
    parameters: Annotated[SimilarParameters, Query()],
    service: ServiceHere,
    observed: ObservedHere,
    caller: CallerHere,
) -> SimilarResponse:
    """The items nearest to one, by the cosine of the model's item vectors: `?n=5&categories_any=a&categories_any=b`.
    With `user_id` or `model` it is the model that /recommend would answer with."""
    chosen = service.models.choose(parameters.user_id, parameters.model)
    observed.answered_by = chosen.fields()
    with chosen.served as served:
        item = served.model.bundle.catalog.index(item_id)
        if item is None:
            raise UnknownItem(f"item_id: the catalogue of {served.version} has no item {item_id!r}")
        query = SimilarTo(item, parameters.n, parameters)
        found = await served.thread.recommend(query, observed.timings, Patience.of(observed.started, None, caller))
        model_version = served.version
    return SimilarResponse(
        item_id=item_id,
        model_version=model_version,
        variant=chosen.variant,
        unknown_categories=list(found.unknown.categories),
        unknown_brands=list(found.unknown.brands),
        items=ranked_items(found),
    )


@router.get("/items", responses=errors(404, 422, 429, 500), summary="Show the cards of items", tags=["items"])
async def items(
    parameters: Annotated[ItemsParameters, Query()], service: ServiceHere, observed: ObservedHere
) -> CardsResponse:
    """The cards of items: `/items?ids=a&ids=b`. With `user_id` or `model` they are those of the model that /recommend
    would answer with."""
    chosen = service.models.choose(parameters.user_id, parameters.model)
    observed.answered_by = chosen.fields()
    model = chosen.served.model  # nothing is awaited from here on: the answer is of one piece
    bundle, unknown = model.bundle, model.recommender.unknown(parameters.ids)
    refused = set(unknown)
    known = [item_id for item_id in dict.fromkeys(parameters.ids) if item_id not in refused]
    indices = bundle.catalog.indices(known).tolist()
    cards = [
        Card(
            item_id=item_id,
            title=card.title,
            brand=card.brand,
            categories=list(card.categories),
            available=card.available,
        )
        for item_id, card in zip(known, map(bundle.card, indices), strict=True)
    ]
    return CardsResponse(model_version=model.version, variant=chosen.variant, items=cards, unknown_items=unknown)
