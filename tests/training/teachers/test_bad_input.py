"""What a teacher cannot use is refused in one line that names it, or skipped and counted: through the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from training.artefacts import RECORD, WEIGHTS
from training.commands import app

ONCE = """
pretrain.fit = {epochs = 1, device = "cpu"}
finetune.fit = {epochs = 1, device = "cpu"}
"""
CAUSAL = "model.experts = 2\nmodel.encoder = {width = 8, inner = 8, layers = 1, max_history = 4}"
TINY = 'model = {backbone = "none", max_items = 3, max_tokens = 24, random = {width = 8, words = 64}}'
RECIPES = {
    "unisrec": CAUSAL + ONCE,
    "unim2rec": CAUSAL + ONCE,
    "recformer": TINY + ONCE + "finetune.second_epochs = 0",
}
NO_TEXT, NO_PICTURE = ("i3", "i11"), ("i3", "i5")
BROKEN = "i8"
"""Its picture is a text file."""


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def done(*words: str | Path) -> str:
    """What a step said that went well."""
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result.stderr


def refused(*words: str | Path) -> str:
    """The one line that a refusal is; what the data lack may be told before it."""
    result = run(*words)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    *notes, line = result.stderr.splitlines()
    assert all("items have no" in note for note in notes), result.stderr
    assert line.startswith("refused: ")
    return line


class Shop:
    """A folder of things to train on and with; each is made once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name, text in RECIPES.items():
            (root / f"{name}.toml").write_text(text, encoding="utf-8")

    def teach(self, step: str, kind: str, data: Path | str, out: Path, *more: str | Path) -> tuple[str | Path, ...]:
        """The words of one training."""
        return (step, kind, "--data", data, "--out", out, "--config", self.root / f"{kind}.toml", *more)

    def data(self, name: str, users: int = 40, items: int = 20, seed: int = 0) -> Path:
        out = self.root / name
        if not out.exists():
            config = self.root / f"{name}.toml"
            config.write_text(
                f"[synthetic]\nusers = {users}\nitems = {items}\nclusters = 4\nseed = {seed}\nmax_length = 9\n"
            )
            done("prepare", "synthetic", "--out", out, "--config", config, "--encoder", "hashed-words")
        return out

    def teacher(self, kind: str = "unisrec", step: str = "finetune") -> Path:
        out = self.root / f"{kind}-{step}"
        if not out.exists():
            done(*self.teach(step, kind, self.data("shop"), out))
        return out


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, cache: None) -> Shop:
    return Shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def truncated(folder: Path) -> None:
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[: len(whole) // 2])


def of_other_weights(folder: Path) -> None:
    """A record that belongs to other weights."""
    page = json.loads((folder / RECORD).read_text())
    (folder / RECORD).write_text(json.dumps({**page, "weights_sha256": "0" * 64}))


def half_a_record(folder: Path) -> None:
    (folder / RECORD).write_text((folder / RECORD).read_text()[:100])


DAMAGES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "truncated": (truncated, WEIGHTS, "its sha256 is not the one in model.json"),
    "other weights": (of_other_weights, WEIGHTS, "its sha256 is not the one in model.json"),
    "no weights": (lambda folder: (folder / WEIGHTS).unlink(), WEIGHTS, "is not there"),
    "half a record": (half_a_record, RECORD, "ModelRecord"),
}


@pytest.mark.parametrize("kind", RECIPES)
@pytest.mark.parametrize(("damage", "name", "why"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_refused_by_every_step(
    shop: Shop, tmp_path: Path, kind: str, damage: Callable[[Path], object], name: str, why: str
) -> None:
    data = shop.data("shop")
    fitted, pretrained = (
        shutil.copytree(shop.teacher(kind, step), tmp_path / step) for step in ("finetune", "pretrain")
    )
    damage(fitted)
    damage(pretrained)
    lines = [
        (fitted, refused("gather", "--data", data, "--teacher", fitted, "--out", tmp_path / "out")),
        (fitted, refused("evaluate", fitted, "--data", data)),
        (pretrained, refused(*shop.teach("finetune", kind, data, tmp_path / "out", "--init", pretrained))),
    ]
    for folder, line in lines:
        assert str(folder / name) in line
        assert why in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", RECIPES)
def test_a_teacher_of_another_catalogue_is_refused(shop: Shop, tmp_path: Path, kind: str) -> None:
    other, teacher = shop.data("other", items=15, seed=3), shop.teacher(kind)
    for words in (("gather", "--teacher", teacher, "--out", tmp_path / "out"), ("evaluate", teacher)):
        line = refused(*words, "--data", other)
        assert f"{teacher} was made from 'synthetic'" in line
        assert "their catalog_fingerprint differ" in line
    assert not (tmp_path / "out").exists()


def test_one_bad_teacher_among_several_stops_before_the_first_is_asked(shop: Shop, tmp_path: Path) -> None:
    words = ("gather", "--data", shop.data("shop"), "--teacher", shop.teacher(), "--teacher", tmp_path / "none")
    assert "none holds no trained model" in refused(*words, "--out", tmp_path / "out")
    twice = ("gather", "--data", shop.data("shop"), "--teacher", shop.teacher(), "--teacher", shop.teacher())
    assert "the same teacher is named twice" in refused(*twice, "--out", tmp_path / "out")


@pytest.fixture(scope="module")
def encoded_otherwise(shop: Shop) -> Path:
    """The same data, its texts by another encoder of equal width: nothing but the manifest can tell."""
    folder = shutil.copytree(shop.data("shop"), shop.root / "otherwise")
    page = json.loads((folder / "dataset.json").read_text())
    page["encoder"] |= {"name": "another", "fingerprint": "0" * 64}
    (folder / "dataset.json").write_text(json.dumps(page))
    return folder


@pytest.mark.parametrize("kind", ["unisrec", "unim2rec"])
def test_texts_of_another_encoder_are_refused(shop: Shop, encoded_otherwise: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    for step, words in {
        "finetune": ("gather", "--data", encoded_otherwise, "--teacher", shop.teacher(kind), "--out", out),
        "pretrain": shop.teach("finetune", kind, encoded_otherwise, out, "--init", shop.teacher(kind, "pretrain")),
    }.items():
        line = refused(*words)
        assert f"{shop.teacher(kind, step)} reads other content than that of {encoded_otherwise}: text_encoder" in line
    assert not out.exists()


def test_texts_of_two_encoders_make_no_corpus(shop: Shop, encoded_otherwise: Path, tmp_path: Path) -> None:
    other = shop.data("other", items=15, seed=3)
    line = refused(*shop.teach("pretrain", "unisrec", encoded_otherwise, tmp_path / "out", "--data", other))
    assert "one corpus needs one text encoder" in line
    assert str(other) in line
    assert str(encoded_otherwise) in line


def test_one_data_set_twice_is_refused(shop: Shop, tmp_path: Path) -> None:
    data = shop.data("shop")
    line = refused(*shop.teach("pretrain", "unisrec", data, tmp_path / "out", "--data", data))
    assert f"the same data set twice among {data}, {data}" in line


def test_only_a_pre_trained_teacher_of_the_same_kind_can_be_begun_with(shop: Shop, tmp_path: Path) -> None:
    data, note = shop.data("shop"), tmp_path / "note.pth"
    note.write_text("no checkpoint")
    for init, why in {
        shop.teacher("recformer", "pretrain"): "holds a recformer, not a unisrec",
        shop.teacher("unisrec", "finetune"): "holds a finetuned teacher, not a pre-trained teacher",
        data: "holds no trained model",
        note: "no whole checkpoint",
        tmp_path / "nowhere": "holds no trained model",
    }.items():
        line = refused(*shop.teach("finetune", "unisrec", data, tmp_path / "out", "--init", init))
        assert str(init) in line
        assert why in line
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def sparse(shop: Shop) -> tuple[Path, str]:
    """A catalogue with gaps: its folder, and what `prepare` said of it."""
    source = shop.root / "source"
    (source / "images").mkdir(parents=True)
    lines = []
    for number in range(20):
        item: dict[str, str] = {"item_id": f"i{number}"}
        if item["item_id"] not in NO_TEXT:
            item["title"] = f"thing {number} of kind{number % 4}"
        if item["item_id"] not in NO_PICTURE:
            item["image"] = f"images/{number}.png"
            Image.new("RGB", (8, 8), (10 * number, 100, 7 * number)).save(source / item["image"])
        lines.append(json.dumps(item))
    (source / f"images/{BROKEN[1:]}.png").write_text("I am no picture")
    (source / "items.jsonl").write_text("\n".join(lines) + "\n")
    rows = [f"u{user},i{(user + 3 * step) % 20},{1_600_000_000 + step}" for user in range(40) for step in range(6)]
    (source / "interactions.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]) + "\n")
    words = ("prepare", "local", "--path", source, "--out", shop.root / "sparse")
    return shop.root / "sparse", done(*words, "--encoder", "hashed-words", "--image-encoder", "mean-colours")


def test_prepare_counts_what_is_not_there_and_names_what_is_broken(sparse: tuple[Path, str]) -> None:
    data, said = sparse
    assert "2 items without text" in said
    counts = json.loads((data / "dataset.json").read_text())["counts"]
    assert (counts["without_text"], counts["without_image"]) == (len(NO_TEXT), len({*NO_PICTURE, BROKEN}))
    assert f"1 items have a picture that cannot be read; they count as without picture: '{BROKEN}'" in said


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("unisrec", ["source: 2 of 20 items have no text"]),
        ("unim2rec", ["source: 2 of 20 items have no text", "source: 3 of 20 items have no picture"]),
        ("recformer", ["2 of 20 items have no text: each is read as one unknown word"]),
    ],
)
@pytest.mark.parametrize("step", ["pretrain", "finetune"])
def test_a_teacher_says_what_it_will_not_find_and_learns_all_the_same(
    shop: Shop, sparse: tuple[Path, str], tmp_path: Path, kind: str, lines: list[str], step: str
) -> None:
    said = done(*shop.teach(step, kind, sparse[0], tmp_path / "out")).splitlines()
    assert [line for line in said if "items have no" in line] == lines
    if step == "finetune":
        done("gather", "--data", sparse[0], "--teacher", tmp_path / "out", "--out", tmp_path / "knowledge")
        found = json.loads(run("evaluate", tmp_path / "out", "--data", sparse[0], "--json").stdout)
        assert found[str(tmp_path / "out")]["users"] == 40


def test_a_teacher_says_nothing_of_what_is_all_there(shop: Shop, tmp_path: Path) -> None:
    assert "have no" not in done(*shop.teach("finetune", "unisrec", shop.data("shop"), tmp_path / "out"))


@pytest.mark.parametrize("kind", RECIPES)
def test_a_catalogue_without_any_content_is_refused_or_learnt_from_but_never_a_traceback(
    shop: Shop, tmp_path: Path, kind: str
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "items.jsonl").write_text("".join(json.dumps({"item_id": f"i{k}"}) + "\n" for k in range(9)))
    rows = [f"u{user},i{(user + 3 * step) % 9},{1_600_000_000 + step}" for user in range(20) for step in range(5)]
    (source / "interactions.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]) + "\n")
    done("prepare", "local", "--path", source, "--out", tmp_path / "data", "--encoder", "hashed-words")
    words = shop.teach("finetune", kind, tmp_path / "data", tmp_path / "out")
    result = run(*words)
    assert result.exit_code in (0, 2), result.output
    if result.exit_code == 2:
        assert str(tmp_path / "data") in result.stderr
    else:
        assert "9 of 9 items have no text" in result.stderr


@pytest.mark.parametrize("kind", RECIPES)
def test_too_few_users_are_refused(shop: Shop, tmp_path: Path, kind: str) -> None:
    """Three interactions a user leave nothing to learn from: one is the test's, one the validation's."""
    source = tmp_path / "source"
    source.mkdir()
    rows = [f"u{user},i{user + step},{1_600_000_000 + step}" for user in range(4) for step in range(3)]
    (source / "interactions.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]) + "\n")
    (source / "items.jsonl").write_text(
        "".join(json.dumps({"item_id": f"i{k}", "title": "t"}) + "\n" for k in range(6))
    )
    done("prepare", "local", "--path", source, "--out", tmp_path / "data", "--encoder", "hashed-words")
    for step in ("pretrain", "finetune"):
        line = refused(*shop.teach(step, kind, tmp_path / "data", tmp_path / "out"))
        assert "nothing to learn from: no user has two train interactions" in line
