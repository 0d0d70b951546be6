from hypothesis import given
from hypothesis import strategies as st

from training.features.word_drop import drop_words

TEXT = st.text(alphabet="ab ", max_size=40)
SHARE = st.floats(0, 0.99)


@given(TEXT, SHARE, st.integers(0, 99))
def test_what_stays_stands_in_its_order_and_never_nothing(text: str, share: float, seed: int) -> None:
    kept, words = drop_words(text, share, (seed, "item")).split(), text.split()
    assert bool(kept) == bool(words)
    rest = iter(words)
    assert all(word in rest for word in kept)  # a subsequence


def test_the_share_that_is_dropped_is_the_one_asked_for() -> None:
    text = " ".join("word" for _ in range(100))
    kept = sum(len(drop_words(text, 0.15, (0, f"item {k}")).split()) for k in range(200))
    assert abs(kept / 20_000 - 0.85) < 0.0101  # four standard deviations of 20,000 draws


def test_seed_and_item_decide() -> None:
    text = " ".join(map(str, range(60)))
    assert drop_words(text, 0.5, (0, "a")) == drop_words(text, 0.5, (0, "a"))
    assert len({drop_words(text, 0.5, seed) for seed in ((0, "a"), (0, "b"), (1, "a"))}) == 3


def test_nothing_is_dropped_at_zero() -> None:
    assert drop_words("a b  c", 0.0, (0, "a")) == "a b c"
