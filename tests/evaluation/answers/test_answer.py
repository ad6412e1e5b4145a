"""A system is asked once per prompt; why it does not answer is recorded."""

import contextlib
import dataclasses
import threading

import numpy as np
import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.answers.answer import (
    CannotAnswer,
    answer_path,
    ask_system,
    sample_name,
    sample_names,
    unanswered,
)
from tbstar_jax.evaluation.cases.case import Prompt
from tbstar_jax.evaluation.journal import read_journal
from tbstar_jax.input_pipeline.images import decode_image
from tests.support.benchmark_cases import case, prompts


class Recorder:
    """A system that returns the inverted photo, and raises what it is told to."""

    name = "inverter"

    def __init__(self, num_threads=1, errors=None):
        self.num_threads = num_threads
        self.errors = errors or {}
        self.asked = []
        self.opened = 0

    def describe(self):
        return {}

    @contextlib.contextmanager
    def open(self):
        self.opened += 1
        yield self.answer

    def answer(self, prompt, sample):
        name = sample_name(prompt.id, sample)
        self.asked.append(name)
        if name in self.errors:
            raise self.errors[name]
        return 255 - sample - prompt.case.photo


ASKED = prompts(case(index=0), case(index=1))


def ask(system, asked, folder, num_samples=1):
    ids = [prompt.id for prompt in asked]
    return ask_system(system, ids, iter(asked), folder, num_samples)


@pytest.mark.parametrize("num_threads", [1, 3])
def test_every_prompt_is_asked_once(tmp_path, num_threads):
    system = Recorder(num_threads)
    seconds = ask(system, ASKED, tmp_path)
    assert sorted(system.asked) == sorted(prompt.id for prompt in ASKED)
    assert set(seconds) == set(system.asked)
    assert min(seconds.values()) >= 0
    for prompt in ASKED:
        written = decode_image(answer_path(tmp_path, prompt.id).read_bytes())
        assert np.array_equal(written, 255 - prompt.case.photo)
    assert ask(system, ASKED, tmp_path) == {}
    assert len(system.asked) == len(ASKED)
    assert system.opened == 1
    assert not list(tmp_path.rglob("*.part"))


def test_further_samples_are_asked_for_and_have_names_of_their_own(tmp_path):
    photo = ASKED[0].case.photo % 100  # so that no sample wraps around
    asked = [
        Prompt(case=dataclasses.replace(ASKED[0].case, source=photo), language=language)
        for language in ("en", "zh")
    ]
    first = [prompt.id for prompt in asked]
    lost = f"{first[1]}~2"
    errors = {lost: CannotAnswer("no such thing", is_final=True)}
    system = Recorder(errors=errors)
    ask(system, asked, tmp_path)
    assert system.asked == first
    took = ask(system, asked, tmp_path, 3)
    further = [f"{id}~{sample}" for id in first for sample in (1, 2)]
    assert system.asked[2:] == further
    assert set(took) == {*further} - {lost}
    for name, sample in ((first[0], 0), (f"{first[0]}~1", 1), (f"{first[0]}~2", 2)):
        written = decode_image((tmp_path / f"{name}.png").read_bytes())
        assert np.array_equal(written, 255 - sample - photo)
    assert list(unanswered(tmp_path, sample_names(first, 3))) == [lost]
    assert ask(system, asked, tmp_path, 3) == {}
    assert len(system.asked) == 6


def test_a_refusal_is_final_and_a_failure_is_not(tmp_path):
    errors = {
        ASKED[0].id: CannotAnswer("no such thing", is_final=True),
        ASKED[1].id: CannotAnswer("server down", is_final=False),
    }
    system = Recorder(errors=errors)
    assert set(ask(system, ASKED, tmp_path)) == {p.id for p in ASKED[2:]}
    entries = list(read_journal(tmp_path / "unanswered.jsonl"))
    assert [(e["prompt"], e["reason"]) for e in entries] == [
        (ASKED[0].id, "no such thing"),
        (ASKED[1].id, "server down"),
    ]
    again = Recorder()
    assert set(ask(again, ASKED, tmp_path)) == {ASKED[1].id}
    assert not answer_path(tmp_path, ASKED[0].id).exists()


def test_the_last_reason_is_told_of_prompts_without_a_picture(tmp_path):
    ids = [prompt.id for prompt in ASKED]
    assert unanswered(tmp_path, ids) == {}
    late = CannotAnswer("too late", is_final=False)
    no = CannotAnswer("no", is_final=True)
    ask(Recorder(errors={ids[0]: late, ids[1]: late}), ASKED, tmp_path)
    assert [str(one) for one in unanswered(tmp_path, ids).values()] == ["too late"] * 2
    ask(Recorder(errors={ids[1]: no}), ASKED, tmp_path)
    assert {id: str(one) for id, one in unanswered(tmp_path, ids).items()} == {
        ids[1]: "no"
    }
    assert unanswered(tmp_path, ids[2:]) == {}


def test_prompts_that_stay_unanswered_do_not_stop_a_run_that_goes_on(tmp_path):
    late = CannotAnswer("too late", is_final=False)
    for _ in range(2):
        ask(Recorder(errors={ASKED[3].id: late}), ASKED, tmp_path)
    no = CannotAnswer("no", is_final=True)
    ask(Recorder(errors={ASKED[3].id: no}), ASKED, tmp_path)
    silent = Recorder()
    ask(silent, ASKED, tmp_path)
    assert silent.asked == []


def test_a_ledger_of_something_else_is_refused(tmp_path):
    (tmp_path / "unanswered.jsonl").write_text('{"prompt": "x"}\n')
    with pytest.raises(UserError, match=r"line 1 of .* has no 'reason'"):
        ask(Recorder(), ASKED, tmp_path)


def test_a_system_that_answers_nothing_is_given_up(tmp_path):
    down = CannotAnswer("the server is down", is_final=False)
    no = CannotAnswer("no", is_final=True)
    many = prompts(*[case(index=index) for index in range(20)])
    system = Recorder(errors={prompt.id: down for prompt in many[2:]})
    with pytest.raises(UserError, match=r"16 prompts in a row; .*the server is down"):
        ask(system, many, tmp_path)
    assert len(system.asked) == 18
    with pytest.raises(UserError, match="4 prompts in a row"):
        ask(Recorder(errors={p.id: no for p in ASKED}), ASKED, tmp_path / "few")
    # What failed for all is no refusal: the next run asks again.
    assert len(ask(Recorder(), ASKED, tmp_path / "few")) == 4


def test_a_killed_run_keeps_what_it_has(tmp_path):
    system = Recorder(errors={ASKED[2].id: KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        ask(system, ASKED, tmp_path)
    again = Recorder()
    ask(again, ASKED, tmp_path)
    assert again.asked == [ASKED[2].id, ASKED[3].id]


def test_an_error_stops_the_threads(tmp_path):
    started = threading.Event()

    class Broken(Recorder):
        def answer(self, prompt, sample):
            self.asked.append(prompt.id)
            started.set()
            raise RuntimeError("broken")

    many = prompts(*[case(index=index) for index in range(40)])
    system = Broken(num_threads=2)
    with pytest.raises(RuntimeError, match="broken"):
        ask(system, many, tmp_path)
    assert len(system.asked) < len(many)
