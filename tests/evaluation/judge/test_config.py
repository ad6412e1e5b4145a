"""`judge.yaml`: read strictly, and what it says of itself."""

import json
from pathlib import Path

import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.judge.config import JudgeConfig, read_judge
from tbstar_jax.evaluation.judge.judge import Judge
from tbstar_jax.evaluation.judge.modes import SETTINGS
from tbstar_jax.vlm.cost import Prices
from tests.evaluation.judge.judged import answering, config, item, picture, sent

URL = "http://127.0.0.1:9/v1"

FULL = """
base_url: https://host/v1
model: judge-2026-11-01
api_key_env: JUDGE_KEY
mode: vie-2024
sampling: pinned
temperature: 0
seed: 7
max_tokens: 900
timeout: 30
retries: 2
concurrency: 3
rpm: 90
image: {format: jpeg, quality: 90, max_side: 512}
order: images_first
votes: 3
prices: {input_per_million: 2, output_per_million: 8.5, currency: USD}
cache: runs/replies
"""
PRICES = "prices: {{input_per_million: 1, output_per_million: 1, currency: {}}}"


def written(tmp_path, text, name="judge.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_every_key_arrives(tmp_path):
    found = read_judge(written(tmp_path, FULL))
    assert (found.model, found.api_key_env) == ("judge-2026-11-01", "JUDGE_KEY")
    assert found.prices == Prices(
        input_per_million=2.0, output_per_million=8.5, currency="USD"
    )
    settings = found.settings()
    assert (settings.seed, settings.max_tokens, settings.order) == (
        7,
        900,
        "images_first",
    )
    assert (settings.format, settings.quality, settings.max_side) == ("jpeg", 90, 512)
    vlm = found.vlm()
    assert (vlm.temperature, vlm.sends_seed, vlm.max_output_tokens) == (0, True, 900)
    server = vlm.server
    assert (server.reply_timeout_s, server.num_retries) == (30, 2)
    assert (server.max_concurrency, server.requests_per_minute) == (3, 90)
    assert found.label() == (
        "vie-2024 (own rubric), order=images_first, quality=90, max_side=512, "
        "max_tokens=900, sampling=pinned, seed=7"
    )


def test_json_is_read_too_and_strict_is_the_default(tmp_path):
    text = json.dumps({"base_url": URL, "model": "m"}, indent="\t")
    found = read_judge(written(tmp_path, text, "judge.json"))
    assert found == JudgeConfig(base_url=URL, model="m")
    assert found.mode == "strict"
    assert found.label() == "strict (own rubric)"
    assert found.departures() == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle: m", "no setting 'modle'; the nearest are mode and model"),
        (
            "image: {qualty: 3}",
            "image has no setting 'qualty'; the nearest are quality and",
        ),
        ("prices: {input_per_million: 1}", "output_per_million"),
        ("mode: viescore", "must be one of vie-2024"),
        ("votes: 0", "votes is 0"),
        ("votes: two", "votes is 'two'"),
        ("seed: -1", "seed -1"),
        ("mode: vie-2024\nseed: 3", "set sampling to pinned"),
        ("mode: vie-2024\ntemperature: 0.0", "set sampling to pinned"),
        ("image: {quality: 80}", "no meaning for PNG"),
        ("mode: vie-2024\nimage: {quality: 0}", "1 to 95"),
        ("mode: vie-2024\nstructured: schema", "asks for no schema"),
        ("both_orders: false", "no meaning in mode strict"),
        ("prompts: somewhere", "reproduces no other program"),
        ("replay: true", "replay_only needs"),
        ("bug_compatible: true", "mode strict reproduces no other program"),
        ("mode: checklist\nbug_compatible: true", "drop bug_compatible"),
        ("canary: off\ncanary_record: a.json", "canary_record has no effect"),
        ("mode: pairwise\ncanary_record: a.json", "canary_record has no effect"),
        ("canary: a.json", "canary is 'a.json'"),
        (PRICES.format("dollars"), "prices.currency is 'dollars'.* e.g. USD"),
        (PRICES.format("usd"), "three capital letters"),
        (PRICES.format("''"), "three capital letters"),
        ("rpm: 0", "must be above 0"),
        ("- a\n- b", "is no YAML"),
        ("{", "is no YAML"),
        ("x: !!python/object/apply:os.system ['true']", "is no YAML"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(tmp_path, text, message):
    path = written(tmp_path, f"base_url: {URL}\nmodel: m\n" + text)
    with pytest.raises(UserError, match=message) as caught:
        read_judge(path)
    assert "judge.yaml" in str(caught.value)


def test_a_missing_file_and_one_that_is_no_mapping(tmp_path):
    with pytest.raises(UserError, match=r"there is no file .* settings of the judge"):
        read_judge(tmp_path / "judge.yaml")
    with pytest.raises(UserError, match="is no JSON"):
        read_judge(written(tmp_path, "{", "judge.json"))
    with pytest.raises(UserError, match="no mapping"):
        read_judge(written(tmp_path, "- a"))
    with pytest.raises(UserError, match="base_url"):
        read_judge(written(tmp_path, "model: m"))
    with pytest.raises(UserError, match="model is 7"):
        read_judge(written(tmp_path, f"base_url: {URL}\nmodel: 7"))
    with pytest.raises(UserError, match="base URL is not acceptable"):
        read_judge(written(tmp_path, "base_url: https://me:word@host\nmodel: m"))


def test_the_canary_is_on_unless_it_is_switched_off(tmp_path):
    text = f"base_url: {URL}\nmodel: m\n"
    assert read_judge(written(tmp_path, text)).canary is True
    assert read_judge(written(tmp_path, text + "canary: off")).canary is False
    found = read_judge(written(tmp_path, text + "canary_record: a/b.json"))
    assert found.canary_record == Path("a/b.json")
    on, off = config(URL), config(URL, canary=False)
    assert on.fingerprint() == off.fingerprint()


def test_bug_compatibility_changes_no_score(tmp_path):
    one, other = (
        config(URL, mode="imgedit", bug_compatible=value) for value in (False, True)
    )
    assert one.fingerprint() == other.fingerprint()
    assert [each.provenance()["bug_compatible"] for each in (one, other)] == [
        False,
        True,
    ]


def test_what_a_report_says_of_the_judge_holds_no_secret(monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", "sk-secret")
    text = json.dumps(config(URL, api_key_env="JUDGE_KEY").provenance())
    assert "sk-secret" not in text
    assert "JUDGE_KEY" not in text
    assert config(URL).fingerprint() in text


def test_modes_that_reproduce_others_send_what_they_send():
    vie, qwen = SETTINGS["vie-2024"], SETTINGS["gedit-qwen"]
    assert (vie.order, vie.format, vie.quality) == ("text_first", "jpeg", 75)
    assert (vie.max_tokens, vie.sampling, vie.is_resized) == (1400, "server", False)
    assert SETTINGS["gedit-gpt"].is_resized
    assert (qwen.order, qwen.format, qwen.seed) == ("images_first", "png", 42)
    assert (qwen.max_tokens, qwen.sampling, qwen.temperature) == (512, "pinned", 0)


def test_upstream_prompts_are_the_users_files_and_labelled(tmp_path):
    (tmp_path / "sc.txt").write_text('Rate {"score": []}: <instruction>')
    (tmp_path / "pq.txt").write_text("Rate the quality.")
    judge = config(URL, mode="vie-2024", prompts=tmp_path)
    assert judge.label() == "vie-2024 (upstream prompts)"
    assert judge.fingerprint() != config(URL, mode="vie-2024").fingerprint()
    before = judge.fingerprint()
    with answering("[8, 9]") as (url, server):
        Judge(config(url, mode="vie-2024", prompts=tmp_path)).judge(
            "ours", item(), picture(200)
        )
    assert sent(server.requests[0])[0] == ('Rate {"score": []}: make the "mug" {red}')
    assert sent(server.requests[1])[0] == "Rate the quality."
    (tmp_path / "pq.txt").write_text("Rate the quality!")
    assert judge.fingerprint() != before


def test_upstream_marks_are_read_whatever_their_names(tmp_path):
    (tmp_path / "prompts.json").write_text('{"add": "Mark <edit_prompt>"}')
    with answering("Fit: 4\nLook: 3\nDetail: 5") as (url, server):
        judge = Judge(config(url, mode="imgedit", prompts=tmp_path))
        found = judge.judge("ours", item(task="add"), picture(200))
        with pytest.raises(UserError, match="no text for the type 'recolor'"):
            judge.judge("ours", item(), picture(200))
    assert found.overall == 4
    assert sent(server.requests[0])[0] == 'Mark make the "mug" {red}'


@pytest.mark.parametrize(
    ("mode", "files", "message"),
    [
        ("vie-2024", {"sc.txt": "<instruction>"}, "pq.txt cannot be read"),
        ("vie-2024", {"sc.txt": "Rate", "pq.txt": "Rate"}, "has no <instruction>"),
        ("imgedit", {}, "prompts.json cannot be read"),
        ("imgedit", {"prompts.json": "{"}, "is no JSON"),
        ("imgedit", {"prompts.json": '{"a": 1}'}, "no object of texts"),
        ("imgedit", {"prompts.json": '{"a": "Mark"}'}, "has no <edit_prompt>"),
    ],
)
def test_upstream_prompts_that_are_not_there_are_missed(tmp_path, mode, files, message):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message):
        config(URL, mode=mode, prompts=tmp_path).rubric()
