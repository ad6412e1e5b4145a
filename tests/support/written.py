"""What a careful model says of a white mug: a draft, and finer words."""

DRAFT = {
    "is_possible": True,
    "instruction_en": "make the white mug navy blue",
    "instruction_zh": "把白色马克杯改成藏青色",
    "region": {"top": 150, "left": 200, "bottom": 800, "right": 750},
    "object_en": "mug",
    "object_zh": "马克杯",
    "color_en": "white",
    "color_zh": "白色",
    "new_color_en": "navy blue",
    "new_color_zh": "藏青色",
}
FINE = {
    "en": [
        "change the white ceramic mug on the saucer to navy blue, keep its shine",
        "white mug -> navy blue, saucer and spoon as they are",
        "could you please turn the white coffee mug navy blue?",
    ],
    "zh": [
        "把托盘上的白色陶瓷马克杯改成藏青色，保留高光",
        "白色马克杯改藏青色，托盘和勺子不变",
        "请把白色咖啡杯换成藏青色",
    ],
}
