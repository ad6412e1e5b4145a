"""Checks of rewritten instructions: what is kept passes, what is lost is named."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbstar_jax.data_engine.augment.paraphrase.checks import (
    brand_words,
    problem,
    quotes,
    unquoted,
)
from tbstar_jax.data_engine.augment.paraphrase.lexicon import (
    COLORS,
    color_ids,
    goal_color_ids,
    numbers,
    position_ids,
)
from tbstar_jax.data_engine.augment.paraphrase.slots import WHERE, phrases
from tbstar_jax.data_engine.facts import Facts
from tbstar_jax.data_engine.language import language_of
from tbstar_jax.data_engine.render.scene import COLORS as PALETTE
from tbstar_jax.data_engine.render.scene import FAMILIES, PROPS
from tbstar_jax.data_engine.studio.families import FAMILIES as STUDIO_FAMILIES
from tbstar_jax.data_engine.studio.settings import SETTINGS, WHITE

GOOD = [
    ("make the red mug blue", "turn the red mug into a blue one"),
    ("make the red mug blue", "把红色马克杯改成蓝色"),
    ("make the red T-shirt blue", "把红色T恤改成蓝色"),
    ("把红马克杯换成蓝色", "please change the red mug to blue"),
    ('change "SALE" to "NEW"', "把“SALE”改成“NEW”"),
    ('replace "SALE" with "NEW"', 'the label should say "NEW", not "SALE"'),
    ("move the lamp to the left", "把台灯向左移动"),
    ("erase the ball in the top left corner", "擦除左上角的小球"),
    ("show 3 bottles of Acme", "摆3个Acme瓶子"),
    ("show three bottles", "摆放三瓶"),
    ("put two candles there", "放两支蜡烛"),
    ("换成纯白背景", "use a pure white background"),
    ("set the price to $19.99", "价格改为19.99美元"),
    ("remove the lipstick", "去掉口红"),
]
BAD = [
    ("make the red mug blue", "make the red mug green", "color"),
    ("make the red mug blue", "make the mug blue", "color"),
    ("把红马克杯换成蓝色", "把绿马克杯换成蓝色", "color"),
    ("change the mug from red to blue", "change the mug from blue to red", "color"),
    ("change the mug from red to blue", "将马克杯由蓝色换成红色", "color"),
    ("remove the mug", "remove the red mug", "color"),
    ("move it to the left", "move it to the right", "position"),
    ("move it to the left", "把它向右移动", "position"),
    ("remove the ball at the top", "remove the ball", "position"),
    ("去掉右上角的水印", "去掉右下角的水印", "position"),
    ("show 3 bottles", "show 4 bottles", "number"),
    ("show 3 bottles", "show bottles", "number"),
    ("摆三瓶", "摆五瓶", "number"),
    ("cut the price to 20%", "cut the price to 20", "number"),
    ("put the Acme mug on white", "put the mug on white", "brand"),
    ("去掉NIKE标志", "去掉标志", "brand"),
    ("write iPhone on it", "write iphone on it", "brand"),
    ('change "SALE" to "NEW"', 'change "Sale" to "NEW"', "quote"),
    ('change "SALE" to "NEW"', 'change "NEW" to "SALE"', "quote"),
    ("把“A”改成“B”", "把“B”改成“A”", "quote"),
    ('write "SALE"', "write something", "quote"),
    ("remove the ball", "", "empty"),
    ("remove the ball", "remove\nthe ball", "empty"),
    ("remove the ball", "ボールを消してください", "language"),
    ("remove the ball", "уберите мяч", "language"),
    (
        "no ball",
        "remove the ball " + "so that nobody ever sees it again " * 3,
        "length",
    ),
]


@pytest.mark.parametrize(("original", "paraphrase"), GOOD)
def test_what_says_the_same_passes_both_ways(original, paraphrase):
    assert problem(original, paraphrase) is None
    assert problem(paraphrase, original) is None


@pytest.mark.parametrize(("original", "paraphrase", "expected"), BAD)
def test_what_says_something_else_is_dropped(original, paraphrase, expected):
    assert problem(original, paraphrase) == expected


def test_listed_brands_must_survive_even_in_small_letters():
    assert problem("put the acme mug on white", "put the mug on white") is None
    found = problem("put the acme mug on white", "put the mug on white", ["acme"])
    assert found == "brand"


word = st.sampled_from(["mug", "lamp", "make", "the", "remove", "photo", "shop"])
critical = st.one_of(
    st.sampled_from([words[0] for words, _ in COLORS.values()]),
    st.sampled_from(["left", "right", "bottom", "center"]),
    st.integers(2, 999).map(str),
    st.sampled_from(["Acme", "iPhone", "XL-9"]),
    st.text("ABC新品 0%", min_size=1, max_size=5).map(lambda text: f'"{text}"'),
)


@settings(max_examples=60)
@given(st.lists(word, min_size=1), critical, st.lists(word, min_size=1))
def test_a_text_agrees_with_itself_but_not_without_its_critical_word(
    before, middle, after
):
    text = " ".join([*before, middle, *after])
    assert problem(text, text) is None
    assert problem(text, " ".join([*before, *after])) is not None
    assert problem(" ".join([*before, *after]), text) is not None


@settings(max_examples=40)
@given(st.permutations(["red", "blue", "3", "Acme", '"NEW"', "left"]))
def test_order_alone_is_no_problem_where_no_goal_is_named(order):
    first = 'mug red blue 3 Acme "NEW" left'
    assert problem(first, "mug " + " ".join(order)) is None


@given(st.text(max_size=60), st.text(max_size=60))
def test_the_checks_answer_for_any_text(original, paraphrase):
    known = {"empty", "language", "length", "quote", "number", "brand", "color"}
    assert problem(original, paraphrase) in known | {"position", None}


@pytest.mark.parametrize("color", PALETTE, ids=lambda color: color.id)
def test_the_palette_is_the_same_colour_in_both_languages(color):
    english, chinese = color_ids(color.name_en), color_ids(color.name_zh)
    assert english == chinese == [color.id]


def test_no_product_or_prop_is_taken_for_a_colour_or_a_position():
    for thing in (*FAMILIES, *PROPS, *STUDIO_FAMILIES):
        for name in (thing.name_en, thing.name_zh):
            assert color_ids(name) == []
            assert position_ids(name) == set()
            assert numbers(name) == []


@pytest.mark.parametrize("setting", [WHITE, *SETTINGS], ids=lambda one: one.name_en)
def test_backdrops_of_the_studio_are_the_same_in_both_languages(setting):
    english = f"put the mug on a {setting.name_en}"
    assert problem(english, f"把马克杯放到{setting.name_zh}上") is None
    is_told = color_ids(setting.name_en) or numbers(setting.name_en)
    assert (problem(english, "把马克杯放到那里") is not None) == bool(is_told)


@pytest.mark.parametrize("family", STUDIO_FAMILIES, ids=lambda one: one.id)
def test_things_of_the_studio_are_counted_in_both_languages(family):
    chinese = f"让图中有三{family.measure_zh}{family.name_zh}。"
    assert numbers(chinese) == ["3"]
    assert problem(f"show three of the {family.name_en}", chinese) is None


@pytest.mark.parametrize("position", WHERE["en"])
def test_positions_are_the_same_in_both_languages(position):
    words = set(position.split())
    assert position_ids(WHERE["en"][position]) == words
    assert position_ids(WHERE["zh"][position]) == words


def test_lookalikes_do_not_count():
    assert position_ids("把文字加上，杯子上的水印去掉一下") == set()
    assert position_ids("clean up the photo right now, it's all right") == set()
    assert position_ids("tone down the light, lower the brightness") == set()
    assert color_ids("去掉口红，换成金属，加绿植和白酒，蓝牙耳机") == []
    assert color_ids("navy blue and rose gold, 米白色 and 酒红色") == [
        *("navy", "rose gold", "cream", "burgundy")
    ]
    assert color_ids("a pink and gold two-tone case, 粉金双色手机壳") == [
        *("pink", "gold", "pink", "gold")
    ]
    assert color_ids("灰粉色、灰绿色和青绿色，紫铜锅") == ["dusty pink", "sage", "teal"]
    assert numbers("第二张图，放一个杯子") == []
    assert numbers("双色球鞋") == numbers("two-tone sneakers") == ["2"]
    assert goal_color_ids("from red to dark blue") == ["blue"]
    assert goal_color_ids("由红色换成深蓝色") == ["blue"]


def test_quotes_are_found_in_every_style_and_hide_what_is_in_them():
    text = 'a "one" “two” 「三」 『4』 《five》'
    assert quotes(text) == ["one", "two", "三", "4", "five"]
    assert unquoted(text).split() == ["a"]
    assert problem('write "red 5 left"', "写上“red 5 left”") is None


def test_brands_are_known_by_their_capitals():
    assert brand_words("Remove the Acme logo. Then add iPad, I say") == {"Acme", "iPad"}
    assert brand_words("去掉Nike标志") == {"Nike"}


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("remove the watermark", "en"),
        ("去掉水印", "zh"),
        ('replace "促销" with "新品"', "en"),
        ("replace 促销 with 新品 on the label", "en"),
        ("去掉NIKE AIR MAX PRO", "zh"),
        ("把“SALE NOW EVERYTHING MUST GO”改成“NEW”", "zh"),
        ("“促销”", "zh"),
        ("透かしを消す", None),
        ("워터마크 제거", None),
        ("123 !", None),
    ],
)
def test_the_language_is_told_by_the_script(text, language):
    assert language_of(text) == language


def test_english_and_chinese_phrases_of_one_request_pass_as_translations():
    facts = Facts(text="A 1", new_text="B 2")
    for task in ("text_replace_zh", "text_remove"):
        english, chinese = (
            [one.text for one in phrases(task, facts, language)]
            for language in ("en", "zh")
        )
        found = {problem(a, b) for a in english for b in chinese}
        assert None in found
        assert found <= {None, "length"}
