"""What edits of whole things are called: added, taken away, put in another's place."""

from collections.abc import Mapping

from tbstar_jax.evaluation.cases.draft import Wording
from tbstar_jax.evaluation.cases.phrasing import Phrases

PHRASES_OF_THINGS: Mapping[Wording, Phrases] = {
    "object_add": Phrases(
        (
            (
                "bring in {a_thing} {saying} {at}",
                "在{at}加入一{measure}{saying}{thing}",
            ),
            (
                "let {a_thing} {saying} appear {at}",
                "让{at}出现一{measure}{saying}{thing}",
            ),
        ),
        ("{at}: {a_thing} {saying}", "{at}：一{measure}{saying}{thing}"),
    ),
    "object_remove": Phrases(
        (
            (
                "clear the {thing} {place} away, along with its shadow",
                "清走{place}{thing}和它的阴影",
            ),
            (
                "make the {thing} {place} disappear without leaving a shadow",
                "让{place}{thing}消失，不留阴影",
            ),
        ),
        (
            "without the {thing} {place} and its shadow",
            "去{place}{thing}及其阴影",
        ),
    ),
    "part_remove": Phrases(
        (
            ("clear the {thing} {place} away", "清走{place}{thing}"),
            (
                "make the {thing} {place} disappear and show what is behind it",
                "让{place}{thing}消失，露出后面的画面",
            ),
        ),
        ("without the {thing} {place}", "去{place}{thing}"),
    ),
    "object_replace": Phrases(
        (
            (
                "exchange the {thing} {place} for {a_new_thing} {saying}",
                "将{place}{thing}替换成一个{saying}{new_thing}",
            ),
            (
                "let {a_new_thing} {saying} take the place of the {thing} {place}",
                "让一个{saying}{new_thing}取代{place}{thing}",
            ),
        ),
        (
            "{a_new_thing} {saying} for the {thing} {place}",
            "{place}{thing}换一个{saying}{new_thing}",
        ),
    ),
    "shown_add": Phrases(
        (
            (
                "bring in the {thing} of the second picture {at}",
                "在{at}加入第二张图里的{thing}",
            ),
            (
                "let the {thing} shown in the second picture appear {at}",
                "让第二张图里的{thing}出现在{at}",
            ),
        ),
        ("{at}: the {thing} of picture 2", "{at}：图2的{thing}"),
    ),
    "shown_replace": Phrases(
        (
            (
                "exchange the {thing} {place} for the {new_thing} of the second "
                "picture",
                "将{place}{thing}替换成第二张图里的{new_thing}",
            ),
            (
                "let the {new_thing} shown in the second picture take the place of "
                "the {thing} {place}",
                "让第二张图里的{new_thing}取代{place}{thing}",
            ),
        ),
        (
            "the {new_thing} of picture 2 for the {thing} {place}",
            "{place}{thing}换成图2的{new_thing}",
        ),
    ),
}
