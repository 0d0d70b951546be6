import pytest
import torch

from service.bundle import PAD
from training.causal_encoder import CausalEncoderConfig
from training.features.item_features import EncoderInfo, ItemFeatures
from training.teachers.unisrec import UniSRec, UniSRecConfig

TEXT = torch.randn(10, 6, generator=torch.Generator().manual_seed(0))
TEXT[PAD] = 0
HISTORY = torch.tensor([[0, 0, 3, 5], [1, 2, 3, 4]])


def teacher(*, item_ids: bool = False, text: torch.Tensor = TEXT) -> UniSRec:
    """An item whose row is 0 has no text."""
    torch.manual_seed(1)
    encoder_of_texts = EncoderInfo(name="six", fingerprint="6" * 64, width=6)
    features = ItemFeatures(text.numpy(), text.any(dim=1).numpy(), encoder_of_texts)
    encoder = CausalEncoderConfig(width=8, inner=16, max_history=4)
    return UniSRec(UniSRecConfig(encoder=encoder, experts=2, text_width=6, item_ids=item_ids), features).eval()


@pytest.mark.parametrize("item_ids", [False, True])
def test_users_and_items_have_length_1(item_ids: bool) -> None:  # noqa: FBT001
    model = teacher(item_ids=item_ids)
    assert torch.allclose(model.item_matrix()[PAD + 1 :].norm(dim=1), torch.ones(9))
    assert torch.allclose(model.hidden(HISTORY).norm(dim=-1), torch.ones(2, 4))


def test_without_ids_equal_texts_are_equal_items() -> None:
    text = TEXT.clone()
    text[7] = text[3]
    model = teacher(text=text)
    items = model.item_matrix()
    assert torch.equal(items[7], items[3])
    assert torch.allclose(model.encode(torch.tensor([[0, 0, 7, 5]])), model.encode(torch.tensor([[0, 0, 3, 5]])))


def test_without_ids_it_knows_items_that_it_never_saw() -> None:
    """The weights of one catalogue say the same of a longer one, on the items they share."""
    longer = teacher(text=torch.cat([TEXT, torch.ones(3, 6)]))
    longer.load_state_dict(teacher().state_dict())
    assert torch.equal(longer.raw_item_matrix()[:10], teacher().raw_item_matrix())
    assert torch.equal(longer.encode(HISTORY), teacher().encode(HISTORY))
    assert bool(longer.encode(torch.tensor([[0, 0, 3, 12]])).isfinite().all())


def test_with_ids_a_vector_is_added_to_each_item_as_read_and_as_answered() -> None:
    plain, with_ids = teacher(), teacher(item_ids=True)
    with_ids.adaptor.load_state_dict(plain.adaptor.state_dict())
    with_ids.encoder.load_state_dict(plain.encoder.state_dict())
    with_ids.textless.data.copy_(plain.textless.data)
    assert with_ids.ids is not None
    assert torch.allclose(with_ids.raw_item_matrix(), plain.raw_item_matrix() + with_ids.ids.weight)
    assert not torch.allclose(with_ids.encode(HISTORY), plain.encode(HISTORY))
    with torch.no_grad():
        with_ids.ids.weight.zero_()
    assert torch.allclose(with_ids.encode(HISTORY), plain.encode(HISTORY))


def test_freezing_leaves_positions_and_attention_and_nothing_else() -> None:
    model = teacher(item_ids=True)
    model.freeze_sequence_encoder()
    frozen = {name for name, one in model.named_parameters() if not one.requires_grad}
    wanted = {name for name, _ in model.named_parameters() if name.startswith(("encoder.position.", "encoder.blocks."))}
    assert frozen == wanted
    learning = {name.split(".")[0] for name, one in model.named_parameters() if one.requires_grad}
    assert learning == {"adaptor", "ids", "encoder", "textless"}
    assert model.encoder.norm.weight.requires_grad


def test_texts_belong_to_the_data_set_and_are_not_saved() -> None:
    assert not {"text", "known"} & set(teacher().state_dict())


def without_texts(*items: int) -> torch.Tensor:
    text = TEXT.clone()
    text[list(items)] = 0
    return text


def test_items_without_text_are_one_learnt_vector_and_no_adapted_zero() -> None:
    model = teacher(text=without_texts(3, 8))
    raw = model.raw_item_matrix()
    assert torch.equal(raw[3], model.textless)
    assert torch.equal(raw[8], model.textless)
    assert torch.allclose(raw[4], model.adaptor(TEXT[4:5])[0], atol=1e-6)


def test_a_fresh_item_without_text_has_a_direction_and_a_gradient_that_is_no_cliff() -> None:
    """At 0 a cosine's gradient is 1e12 times what it is elsewhere, and Adam would remember it for good."""
    model = teacher(text=without_texts(3))
    assert model.item_matrix()[3].norm().item() == pytest.approx(1)
    users, items = model.encode(HISTORY), model.item_matrix()
    (gradient,) = torch.autograd.grad((users @ items[3]).sum(), model.textless)
    assert 0 < gradient.norm() < 1e4


def test_other_items_say_nothing_to_the_textless_vector() -> None:
    model = teacher(text=without_texts(9))  # never read below, and no candidate
    found = (model.encode(HISTORY) @ model.item_matrix()[1:9].T).square().sum()
    (gradient,) = torch.autograd.grad(found, model.textless)
    assert not gradient.any()


def test_with_ids_items_without_text_are_told_apart() -> None:
    items = teacher(item_ids=True, text=without_texts(3, 8)).item_matrix()
    assert not torch.allclose(items[3], items[8])


def test_the_gate_is_noisy_unless_it_is_said_otherwise() -> None:
    model = teacher().train()
    assert model.adaptor.noisy
    quiet = model.config.model_copy(update={"gate_noise": False})
    features = ItemFeatures(
        model.text.numpy(), model.known.numpy(), EncoderInfo(name="s", fingerprint="6" * 64, width=6)
    )
    assert not UniSRec(quiet, features).adaptor.noisy


def test_the_ids_of_pad_learn_nothing_from_being_read() -> None:
    model = teacher(item_ids=True)
    assert model.ids is not None
    found = model.raw_hidden(HISTORY, model.raw_item_matrix())[:, -1].square().sum()
    (gradient,) = torch.autograd.grad(found, model.ids.weight)
    assert gradient[[1, 2, 3, 4, 5]].any(dim=1).all()
    assert not gradient[PAD].any()
