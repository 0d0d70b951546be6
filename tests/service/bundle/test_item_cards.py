import pytest
from pydantic import ValidationError

from service.bundle import ItemCard, ModelBundle


def test_a_card_comes_back_from_its_json() -> None:
    card = ItemCard(title="🦉", brand="b", categories=("x", "y"))
    assert ItemCard.model_validate_json(card.model_dump_json()) == card
    assert ItemCard.model_validate_json("{}") == ItemCard()


def test_a_card_speaks_of_availability_only_where_there_is_none() -> None:
    assert ItemCard(title="t").to_json() == '{"title":"t","brand":"","categories":[]}'
    assert ItemCard(title="t", available=False).to_json().endswith(',"available":false}')
    for card in (ItemCard(), ItemCard(available=False)):
        assert ItemCard.model_validate_json(card.to_json()) == card


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="price"):
        ItemCard.model_validate({"title": "t", "price": 3})


def test_cards_stand_in_catalogue_order(bundle: ModelBundle) -> None:
    assert bundle.card(1).title == "The Quiet Airlock"
    assert bundle.card(60).title == "Frost Dates"
