from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from training.errors import SourceInvalid, SourceUnavailable
from training.sources.unisrec_files import UniSRecSource

HEADER = "user_id:token\titem_id_list:token_seq\titem_id:token\n"
Histories = dict[str, list[str]]


def written(folder: Path, histories: Histories, *, longest_first: bool = True) -> Path:
    """The files that the authors' own script writes of these histories (each of two items or more)."""
    folder.mkdir(exist_ok=True)
    tables = {"train": HEADER, "valid": HEADER, "test": HEADER}
    for user, items in histories.items():
        train = items[:-2]
        cuts = range(len(train) - 1, 0, -1) if longest_first else range(1, len(train))
        for cut in cuts:
            tables["train"] += f"{user}\t{' '.join(train[:cut][-50:])}\t{train[cut]}\n"
        tables["valid"] += f"{user}\t{' '.join(train[-50:])}\t{items[-2]}\n"
        tables["test"] += f"{user}\t{' '.join(items[:-1][-50:])}\t{items[-1]}\n"
    for part, text in tables.items():
        (folder / f"Tiny.{part}.inter").write_text(text, encoding="utf-8")
    numbers = sorted({item for items in histories.values() for item in items})
    (folder / "Tiny.text").write_text("".join(f"asin{one}\tthe thing {one}\n" for one in numbers), encoding="utf-8")
    (folder / "Tiny.item2index").write_text("".join(f"asin{one}\t{one}\n" for one in numbers), encoding="utf-8")
    return folder


@given(
    st.dictionaries(
        st.sampled_from(["0", "1", "2"]),
        st.lists(st.sampled_from([str(one) for one in range(9)]), min_size=3, max_size=70),
        min_size=1,
    ),
    st.booleans(),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_history_is_put_together_again(tmp_path: Path, histories: Histories, longest_first: bool) -> None:  # noqa: FBT001
    found = UniSRecSource(written(tmp_path / "tiny", histories, longest_first=longest_first)).read()
    wanted = [(user, f"asin{item}", at) for user, items in histories.items() for at, item in enumerate(items, 1)]
    assert found.interactions.rows() == wanted


def test_texts_are_the_sources_own(tmp_path: Path) -> None:
    source = UniSRecSource(written(tmp_path, {"0": ["4", "5", "6"]}))
    assert source.name == "Tiny"
    assert next((item.item_id, item.encoder_text()) for item in source.read().items) == ("asin4", "the thing 4")


def test_without_the_tables_of_names_numbers_are_ids(tmp_path: Path) -> None:
    written(tmp_path, {"0": ["4", "5", "6"]})
    (tmp_path / "Tiny.item2index").unlink()
    assert UniSRecSource(tmp_path).read().interactions["item_id"].to_list() == ["4", "5", "6"]


@pytest.mark.parametrize(
    ("part", "line", "message"),
    [
        ("train", "0\t1 9\t3\n0\t1\t2\n", r"Tiny\.train\.inter, line 2: what user '0' is said to have had before"),
        ("valid", "0\t1 3 2\t4\n", r"Tiny\.valid\.inter, line 2: what user '0' is said to have had before"),
        ("test", "0\t1 2 3\t5\n", r"Tiny\.test\.inter, line 2: what user '0' is said to have had before"),
        ("test", "0\t1 2 3 4 5\n", r"Tiny\.test\.inter, line 2: user, items before and next item"),
        ("test", "7\t1\t5\n", r"Tiny\.valid\.inter: no row of user '7'"),
        ("test", "", r"Tiny\.test\.inter: user '0' has 0 rows"),
        ("valid", "0\t1 2 3\t4\n0\t1 2 3\t4\n", r"Tiny\.valid\.inter: user '0' has 2 rows"),
    ],
)
def test_a_row_that_contradicts_the_others_is_named(tmp_path: Path, part: str, line: str, message: str) -> None:
    written(tmp_path, {"0": ["1", "2", "3", "4", "5"]})
    (tmp_path / f"Tiny.{part}.inter").write_text(HEADER + line, encoding="utf-8")
    with pytest.raises(SourceInvalid, match=message):
        UniSRecSource(tmp_path).read()


def test_another_header_is_refused(tmp_path: Path) -> None:
    written(tmp_path, {"0": ["1", "2", "3"]})
    (tmp_path / "Tiny.test.inter").write_text("user\titem\n", encoding="utf-8")
    with pytest.raises(SourceInvalid, match=r"Tiny\.test\.inter, line 1: the header is \['user', 'item'\]"):
        UniSRecSource(tmp_path).read()


@pytest.mark.parametrize(
    ("line", "message"), [("asin1\n", "an item and its text"), ("asin1\ta\nasin1\tb\n", "already")]
)
def test_a_broken_text_is_named(tmp_path: Path, line: str, message: str) -> None:
    written(tmp_path, {"0": ["1", "2", "3"]})
    (tmp_path / "Tiny.text").write_text(line, encoding="utf-8")
    with pytest.raises(SourceInvalid, match=rf"Tiny\.text, line \d: .*{message}"):
        UniSRecSource(tmp_path).read()


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"one file NAME\.train\.inter is needed, there is none"):
        UniSRecSource(tmp_path).read()
    with pytest.raises(SourceUnavailable, match="is no folder"):
        UniSRecSource(tmp_path / "nowhere").read()
    written(tmp_path, {"0": ["1", "2", "3"]})
    (tmp_path / "Other.train.inter").write_text(HEADER, encoding="utf-8")
    with pytest.raises(SourceUnavailable, match=r"there is Other\.train\.inter, Tiny\.train\.inter"):
        UniSRecSource(tmp_path).read()
