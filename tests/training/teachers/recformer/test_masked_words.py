import torch
from torch.nn.functional import gelu

from training.teachers.recformer.masked_words import Masked, MaskedWords, WordHead
from training.teachers.recformer.sentences import TokenBatch, TokenType

WORDS = 100
SPECIAL = torch.zeros(WORDS, dtype=torch.bool)
SPECIAL[:5] = True
MASK = 4
RULE = MaskedWords(torch.arange(5, WORDS), SPECIAL, MASK, share=0.15)


def batch(rows: int = 400, width: int = 50) -> TokenBatch:
    """`<s>`, words, special tokens here and there, and padding in the last ten places."""
    token = torch.randint(0, WORDS, (rows, width), generator=torch.Generator().manual_seed(0))
    kind = torch.full_like(token, TokenType.VALUE)
    token[:, 0], kind[:, 0] = 0, TokenType.FIRST
    kind[:, -10:] = TokenType.PAD
    return TokenBatch(token, kind, torch.zeros_like(token))


def hidden() -> tuple[TokenBatch, Masked]:
    torch.manual_seed(0)
    given = batch()
    return given, RULE.hide(given)


def test_special_tokens_and_padding_are_never_chosen() -> None:
    given, found = hidden()
    assert not found.chosen[SPECIAL[given.token]].any()
    assert not found.chosen[~given.present].any()
    assert not found.chosen[:, 0].any()


def test_nothing_else_is_changed() -> None:
    given, found = hidden()
    assert torch.equal(found.batch.token[~found.chosen], given.token[~found.chosen])
    assert found.batch.kind is given.kind
    assert found.batch.item is given.item


def test_fifteen_of_a_hundred_words_are_chosen_and_eight_of_ten_of_them_masked() -> None:
    given, found = hidden()
    word = given.present & ~SPECIAL[given.token]
    assert abs(found.chosen.sum() / word.sum() - 0.15) < 0.01
    before, after = given.token[found.chosen], found.batch.token[found.chosen]
    masked, kept = (after == MASK).float().mean(), (after == before).float().mean()
    assert abs(masked - 0.8) < 0.03
    assert abs(kept - (0.1 + 0.1 / 95)) < 0.03
    assert not SPECIAL[after[after != MASK]].any()


def test_the_head_guesses_by_the_table_of_word_vectors() -> None:
    torch.manual_seed(0)
    head, states, table = WordHead(4, 7), torch.randn(3, 4), torch.randn(7, 4)
    torch.nn.init.normal_(head.bias)
    assert torch.allclose(head(states, table), head.norm(gelu(head.dense(states))) @ table.T + head.bias, atol=1e-6)
