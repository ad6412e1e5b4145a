"""User preference: the page of two runs, and the table of what was counted."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from experiments.benchmark_people import preference, preference_table
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.store import write_cases
from tbstar_jax.evaluation.preference.study import read_key
from tbstar_jax.evaluation.preference.summary import summarise
from tbstar_jax.evaluation.preference.votes import Vote, Votes
from tbstar_jax.evaluation.run.run_folder import Run, write_run
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig
from tbstar_jax.input_pipeline.images import encode_png
from tests.support.benchmark_cases import case

OUTCOMES = ("first", "first", "second", "same", "bad", "bad", "bad", "first")


@pytest.fixture(scope="module")
def table():
    """Eight cases; the odd ones are Chinese, the first four layouts."""
    votes = tuple(
        Vote(
            rater="anna",
            item=f"item{number}",
            kind="pair",
            prompt=f"p{number}",
            case=f"c{number}",
            task="layout" if number < 4 else "recolor",
            language="zh" if number % 2 else "en",
            first="ours",
            second="theirs",
            outcome=outcome,
            is_first_left=True,
            milliseconds=1000,
        )
        for number, outcome in enumerate(OUTCOMES)
    )
    given = Votes(
        study="s",
        systems=("ours", "theirs"),
        votes=votes,
        num_files=1,
        num_repeated=0,
        num_items=len(votes),
        num_unseen=0,
    )
    return preference_table(summarise(given, BootstrapConfig(num_resamples=200)))


def rows_of(table):
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_wins_ties_and_losses_are_told_and_both_bad_among_the_ties(table):
    found = rows_of(table)[0]
    assert (found["pair"], found["of"]) == ("ours against theirs", "all")
    counts = ("votes", "wins", "ties", "both bad, of the ties", "losses")
    assert [found[name] for name in counts] == [8, 3, 4, 3, 1]
    assert found["GSB"] == pytest.approx(2 / 8)
    assert found["win rate"] == pytest.approx((3 + 4 / 2) / 8)


def test_the_win_rate_has_an_interval(table):
    found = rows_of(table)[0]
    assert 0 <= found["win rate, low"] < found["win rate"] < found["win rate, high"]
    assert found["win rate, low"] == pytest.approx((1 + found["GSB, low"]) / 2)


def test_every_task_and_language_has_a_row(table):
    found = {row["of"]: row for row in rows_of(table)}
    assert list(found) == ["all", "layout", "recolor", "English", "Chinese"]
    assert (found["layout"]["wins"], found["layout"]["ties"]) == (2, 1)
    assert (found["Chinese"]["wins"], found["Chinese"]["both bad, of the ties"]) == (
        2,
        1,
    )


def test_it_says_how_ties_count(table):
    told = table.notes[0]
    assert "none is dropped or forced" in told
    assert "half a win" in told
    assert "alpha n/a (n/a to n/a)" in table.notes[1]  # of one rater


SECOND = np.random.default_rng(3).integers(0, 256, (40, 48, 3)).astype(np.uint8)


def run_of(folder, name, cases, prompts, level):
    """A run with an answer to every prompt, as the benchmark leaves it."""
    outputs = folder / name / "outputs"
    for id in prompts:
        path = outputs / f"{id}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(np.full((64, 64, 3), level, np.uint8)))
    provenance = {
        "system": {"kind": "outputs"},
        "cases_sha256": "c0ffee",
        "cases_not_as_shipped": [],
        "tools": {"ocr": None},
    }
    run = Run(
        folder=folder / name,
        name=name,
        prompts=prompts,
        cases=cases,
        outputs=outputs,
        provenance=provenance,
    )
    write_run(run)
    return str(run.folder)


def test_a_page_shows_the_second_picture_of_the_cases_that_have_one(tmp_path):
    cases = [case("object_add", object_photo=SECOND), case("recolor", index=1)]
    write_cases(cases, tmp_path / "cases")
    prompts = tuple(f"{one.id}/{code}" for one in cases for code in ("en", "zh"))
    runs = [
        run_of(tmp_path, name, tmp_path / "cases", prompts, level)
        for name, level in (("ours", 50), ("theirs", 90))
    ]
    page, key = tmp_path / "page", tmp_path / "key.json"
    preference(["page", *runs, f"--out={page}", f"--key={key}", "--seed=4"])
    text = (page / "index.html").read_text(encoding="utf-8")
    study = json.loads(re.search(r'id="study">(.*?)</script>', text, re.DOTALL)[1])
    tasks = {item.id: item.task for item in read_key(key).items}
    shown = {"object_add": [], "recolor": []}
    for item in study["items"]:
        shown[tasks[item["id"]]].append(item.get("object"))
    # Both languages, and two checks of attention of each kind.
    assert sum(map(len, shown.values())) == len(prompts) + 4
    assert set(shown["recolor"]) == {None}
    assert len(shown["object_add"]) >= 2
    for file in shown["object_add"]:
        with Image.open(page / file) as image:
            assert np.array_equal(np.array(image.convert("RGB")), SECOND)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two cases; `a` answered all four prompts, `b` three, `c` one of the others."""
    root = tmp_path_factory.mktemp("folders")
    cases = [case("recolor"), case("recolor", index=1)]
    write_cases(cases, root / "cases")
    prompts = [f"{one.id}/{code}" for one in cases for code in ("en", "zh")]
    answered = {"a": prompts, "b": prompts[1:], "c": prompts[:1]}
    for level, (name, ids) in enumerate(answered.items()):
        for id in ids:
            path = root / name / f"{id}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = np.full((64, 64, 3), 80 * level, np.uint8)
            path.write_bytes(encode_png(picture))
    run_of(root / "runs", "run", root / "cases", tuple(prompts), 200)
    return root, prompts


def page_of(tmp_path, *systems, checks=0):
    """The page's key."""
    page, key = tmp_path / "page", tmp_path / "key.json"
    places = [f"--out={page}", f"--key={key}", f"--checks={checks}", "--seed=4"]
    preference(["page", *map(str, systems), *places])
    return read_key(key)


def test_a_page_shows_folders_of_pictures_that_were_never_scored(folders, tmp_path):
    root, prompts = folders
    cases = f"--cases={root / 'cases'}"
    key = page_of(tmp_path, root / "a", root / "b", cases, checks=1)
    assert key.systems == ("a", "b")
    compared = [one.prompt for one in key.items if one.kind == "pair"]
    assert compared == prompts[1:]
    assert sorted(one.kind for one in key.items)[:2] == ["identical", "pair"]
    (item, *_) = key.items
    for answer, level in ((item.first, 0), (item.second, 80)):
        file = tmp_path / "page/images" / f"{answer.id}.webp"
        with Image.open(file) as image:
            assert np.array(image.convert("RGB"))[0, 0].tolist() == [level] * 3
    assert not list((root / "a").glob("*.json"))


def test_a_run_stands_beside_a_folder_of_pictures(folders, tmp_path):
    root, prompts = folders
    cases = f"--cases={root / 'cases'}"
    key = page_of(tmp_path, root / "runs/run", root / "b", cases)
    assert key.systems == ("run", "b")
    assert [one.prompt for one in key.items] == prompts[1:]


@pytest.mark.parametrize(
    ("systems", "has_cases", "sentence"),
    [
        (("a", "b"), False, r"a holds no benchmark run .* with --cases=DIR"),
        (("runs/run", "b"), False, r"b holds no benchmark run .* with --cases=DIR"),
        (("b", "c"), True, "b, c have no prompt in common"),
        (("b", "missing"), True, "there is no folder .*missing"),
        (("b", "cases"), True, "cases holds the picture of none of the 4 prompts"),
        (("a", "a/../a"), True, "are named a, a, .*rename a folder"),
    ],
)
def test_folders_that_cannot_be_compared(
    folders, tmp_path, systems, has_cases, sentence
):
    root, _ = folders
    given = [root / one for one in systems]
    with pytest.raises(UserError, match=sentence):
        page_of(tmp_path, *given, *([f"--cases={root / 'cases'}"] * has_cases))
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_other_cases_is_not_shown_with_them(folders, tmp_path):
    root, _ = folders
    other = root / "other"
    write_cases([case("recolor")], other)
    with pytest.raises(UserError, match=r"is on the cases in .*cases"):
        page_of(tmp_path, root / "runs/run", root / "b", f"--cases={other}")
