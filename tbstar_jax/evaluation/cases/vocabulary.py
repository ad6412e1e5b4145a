"""What is written on the benchmark's pictures: nothing that training prints.

Every text is another one than those of the data engine's vocabularies, so that a model
cannot have seen it; the tests compare. Brands are invented. Pairs say the same.
"""

from tbstar_jax.data_engine.layout.vocabulary import Words

HEADLINES: tuple[Words, ...] = (
    Words("Harvest Festival", "丰收节"),
    Words("Morning Ritual", "清晨仪式"),
    Words("Travel Light", "轻装出行"),
    Words("Garden Party", "花园派对"),
    Words("Quiet Evenings", "宁静夜晚"),
    Words("Handmade With Care", "匠心手作"),
    Words("Double Eleven", "双十一狂欢"),
    Words("Lucky Friday", "幸运星期五"),
    Words("Ocean Colors", "海洋色系"),
    Words("Picnic Time", "野餐时光"),
    Words("Night Market", "夜市开张"),
    Words("Third Piece Free", "第三件免费"),
    Words("City Runner", "城市跑者"),
    Words("Warm Kitchen", "温暖厨房"),
    Words("Moon Festival", "中秋团圆"),
    Words("Baby Soft", "婴儿般柔软"),
    Words("Studio Edition", "工作室版"),
    Words("Save 75 Today", "今天立省75元"),
    Words("Slow Living", "慢生活"),
    Words("Mountain Air", "山间空气"),
)

NOTES: tuple[Words, ...] = (
    Words("Delivered by Tuesday", "星期二送达"),
    Words("30-day trial at home", "在家试用30天"),
    Words("5-year guarantee", "五年保障"),
    Words("Packed in 48 hours", "48小时内打包"),
    Words("Ends on October 27", "10月27日结束"),
    Words("Only 80 pieces left", "仅剩80件"),
    Words("Made from recycled paper", "再生纸制作"),
    Words("Scan to join the club", "扫码加入俱乐部"),
    Words("Washable at 40 degrees", "可40度水洗"),
    Words("Three sizes available", "三种尺寸可选"),
    Words("Tested by parents", "家长亲测"),
    Words("One order per household", "每户一单"),
    Words("Pick up in store", "到店自取"),
    Words("No added sugar", "不加糖"),
)

BADGES: tuple[Words, ...] = (
    Words("GREEN", "环保"),
    Words("WOW", "惊喜"),
    Words("TODAY", "今天"),
    Words("NO. 3", "第三名"),
    Words("-15%", "八五折"),
    Words("-35%", "六五折"),
    Words("-45%", "五五折"),
    Words("BONUS CUP", "送杯子"),
    Words("EXPRESS", "次日达"),
    Words("RARE", "稀有"),
    Words("OUR PICK", "店长推荐"),
    Words("3 FOR 2", "三件付两件"),
    Words("DELUXE", "豪华"),
    Words("TESTED", "已检验"),
    Words("2 HOURS", "两小时"),
    Words("CLUB", "俱乐部"),
    Words("VEGAN", "纯素"),
)

MARKS: tuple[Words, ...] = (
    Words("FOR REVIEW", "审阅用图"),
    Words("NOT FINAL", "并非定稿"),
    Words("INTERNAL", "内部资料"),
    Words("AGENCY COPY", "代理存档"),
    Words("UNLICENSED", "未获许可"),
    Words("TEST IMAGE", "测试图片"),
    Words("HOLD", "暂缓使用"),
    Words("ARCHIVE", "档案馆"),
    Words("EXAMPLE", "范例"),
)

BRANDS: tuple[Words, ...] = (
    Words("PALORA", "帕洛拉"),
    Words("Quivero", "奎维罗"),
    Words("DOMINEL", "多米内"),
    Words("Hestiva", "赫斯蒂"),
    Words("ZARUMI", "扎鲁米"),
    Words("Fennola", "芬诺拉"),
    Words("BRIXEL", "布里赛"),
    Words("Ondarva", "翁达瓦"),
    Words("MELKANO", "梅卡诺"),
)

PRICES: tuple[str, ...] = (
    *("6.5", "8.8", "12.6", "16.5", "24.9", "36", "45", "68.8", "88", "108", "147"),
    *("168", "238", "265", "318", "456"),
)
"""Amounts of money, cheapest first."""

LABELS_EN: tuple[str, ...] = (
    *("HONEY", "BASIL", "No. 8", "AMBER", "ROSE", "75 ml", "330 ml", "CEDAR", "LEMON"),
    *("NIGHT", "DEEP", "LOTUS", "ZINC", "40 PCS", "$17", "$64", "PEACH", "VITA B"),
    *("SILK", "TONIC", "PLUM", "BIRCH", "RAW", "JASMINE"),
)

LABELS_ZH: tuple[str, ...] = (
    *("玫瑰水", "桂花", "乌龙茶", "柠檬", "护手霜", "洗手液", "薄荷糖", "芝麻", "红枣"),
    *(
        "竹炭",
        "清风",
        "深夜",
        "桃子味",
        "浓香",
        "木兰",
        "第八号",
        "三百克",
        "云朵",
        "牙膏",
    ),
)
