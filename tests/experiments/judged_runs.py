"""Two runs on one smoke case, and files and replies of judges."""

import json

import yaml

from experiments import benchmark
from tbstar_jax.evaluation.cases.store import load_cases
from tbstar_jax.input_pipeline.images import encode_png
from tests.support.loopback import Answer, completion

CASE = "smoke/recolor/000"


def made_runs(root):
    """Folders of two runs: `good` returns the reference, `lazy` the photo."""
    options = ["--split=smoke", "--tasks=recolor", "--workers=1"]
    options.append(f"--cases={root / 'cases'}")
    benchmark.main(["cases", *options])
    (case,) = load_cases(root / "cases")
    found = {}
    for name, image in (("good", case.reference), ("lazy", case.source)):
        for language in ("en", "zh"):
            path = root / f"outputs/{name}/{CASE}/{language}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_png(image))
        found[name] = root / name
        outputs = root / "outputs" / name
        benchmark.main(
            [*options, f"--outputs={outputs}", f"--out={found[name]}", f"--name={name}"]
        )
    return found


def judge_file(path, url, **settings):
    content = {
        "base_url": url,
        "model": "judge-2026-11-01",
        "retries": 0,
        "canary": False,
        **settings,
    }
    path.write_text(yaml.safe_dump(content))
    return f"--judge={path}"


def strict(semantic=(8, 9), quality=(7, 9)):
    """Answers the two questions of the mode `strict`, by the names they ask for."""

    def answer(request, index):
        asked = request.json()["response_format"]["json_schema"]["schema"]["properties"]
        names = [name for name in asked if asked[name].get("type") == "integer"]
        values = semantic if index % 2 == 0 else quality
        fields = {name: "because" for name in asked} | dict(
            zip(names, values, strict=True)
        )
        return Answer(body=completion(json.dumps(fields)))

    return answer
