"""The operations about items: their cards, their pictures, and what is like them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from service.errors import NoImage, UnknownItem
from service.id_paths import image_address, item_path
from service.image_response import RESPONSES, image_response
from service.models.opening import Model
from service.openapi import errors
from service.patience import Patience
from service.recommending import ranked_items
from service.routes import CallerHere, ObservedHere, ServiceHere
from service.schemas import Card, CardsResponse, ItemsParameters, SimilarParameters, SimilarResponse, WhoseModel
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
        query = SimilarTo(_index_of(item_id, served.model), parameters.n, parameters)
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


@router.get(
    item_path("/image"),
    response_class=Response,  # what errors are is then left as it is
    responses=RESPONSES | errors(404, 422, 429, 500),
    summary="Show the picture of an item",
    tags=["items"],
)
async def image(
    item_id: ItemInPath,
    parameters: Annotated[WhoseModel, Query()],
    request: Request,
    service: ServiceHere,
    observed: ObservedHere,
) -> Response:
    """The picture of an item, as small as cards need it, of the model that /recommend would answer with. `image` of a
    card is the address of this, with the card's own model named."""
    chosen = service.models.choose(parameters.user_id, parameters.model)
    observed.answered_by = chosen.fields()
    model = chosen.served.model  # nothing is awaited: the picture is copied out of the file before the model can go
    index, images = _index_of(item_id, model), model.bundle.images
    picture = None if images is None else images.of(index)
    if picture is None:
        raise NoImage(f"item_id: {model.version} has no picture of item {item_id!r}")
    return image_response(picture, request.headers, for_good=parameters.model is not None)


def _index_of(item_id: str, model: Model) -> int:
    index = model.bundle.catalog.index(item_id)
    if index is None:
        raise UnknownItem(f"item_id: the catalogue of {model.version} has no item {item_id!r}")
    return index


@router.get("/items", responses=errors(404, 422, 429, 500), summary="Show the cards of items", tags=["items"])
async def items(
    parameters: Annotated[ItemsParameters, Query()], service: ServiceHere, observed: ObservedHere
) -> CardsResponse:
    """The cards of items: `/items?ids=a&ids=b`. With `user_id` or `model` they are those of the model that /recommend
    would answer with."""
    chosen = service.models.choose(parameters.user_id, parameters.model)
    observed.answered_by = chosen.fields()
    model = chosen.served.model  # nothing is awaited from here on: the answer is of one piece
    unknown = model.recommender.unknown(parameters.ids)
    refused = set(unknown)
    known = [item_id for item_id in dict.fromkeys(parameters.ids) if item_id not in refused]
    indices = model.bundle.catalog.indices(known).tolist()
    cards = [_card(item_id, index, model) for item_id, index in zip(known, indices, strict=True)]
    return CardsResponse(model_version=model.version, variant=chosen.variant, items=cards, unknown_items=unknown)


def _card(item_id: str, index: int, model: Model) -> Card:
    card, images = model.bundle.card(index), model.bundle.images
    return Card(
        item_id=item_id,
        title=card.title,
        brand=card.brand,
        categories=list(card.categories),
        available=card.available,
        image=image_address(item_id, model.version) if images is not None and images.has(index) else None,
    )
