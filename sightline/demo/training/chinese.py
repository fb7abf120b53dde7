"""The grammar's Chinese: the same claims as in English, in the word order and words of Chinese.

Phrases are written with blanks between their words, for a vocabulary has to know the words; a
sentence has none, save that some write them round Latin letters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from sightline.demo.scenes.facts import ANY, Facts, ThingClaim
from sightline.demo.scenes.scenes import Light, Place, Weather

COLOURS: dict[str, tuple[str, ...]] = {
    "red": ("红色", "红色", "红"),
    "orange": ("橙色", "橙色", "橘色", "橘黄色"),
    "yellow": ("黄色", "黄色", "黄"),
    "green": ("绿色", "绿色", "绿"),
    "blue": ("蓝色", "蓝色", "蓝"),
    "purple": ("紫色", "紫色", "紫"),
    "pink": ("粉色", "粉红色", "粉色"),
    "white": ("白色", "白色", "白"),
    "black": ("黑色", "黑色", "黑"),
    "grey": ("灰色", "灰色", "灰"),
    "brown": ("棕色", "棕色", "褐色", "咖啡色"),
}

NOUNS: dict[str, tuple[str, ...]] = {
    "car": ("汽车", "汽车", "轿车", "小汽车", "小轿车", "车", "车", "车"),
    "taxi": ("出租车", "出租车", "的士", "计程车"),
    "van": ("面包车", "面包车", "厢式车"),
    "pickup": ("皮卡", "皮卡", "皮卡车"),
    "bus": ("公交车", "公交车", "巴士", "大巴", "公共汽车"),
    "lorry": ("卡车", "卡车", "货车", "大卡车", "大货车"),
    "vehicle": ("车辆", "车", "机动车"),
    "dog": ("狗", "狗", "狗", "小狗"),
    "person": ("人", "人", "人", "人", "男人", "男子", "女人", "女子"),
}

MEASURES: dict[str, tuple[str, ...]] = {
    "dog": ("只", "只", "条"),
    "person": ("个", "个", "个", "名", "位"),
}
VEHICLE_MEASURES = ("辆", "辆", "辆", "台", "部", "个")

NUMBERS = {1: ("一",), 2: ("两",), 3: ("三",)}

TOPS = ("上衣", "上衣", "衣服", "外套", "夹克", "衬衫", "卫衣", "毛衣")

ACTIONS: dict[str, tuple[str, ...]] = {
    "standing": ("站着", "站立", "站着 不动"),
    "walking": ("走路", "行走", "步行", "走着"),
    "running": ("跑步", "奔跑", "跑步", "跑着"),
    "fallen": ("摔倒", "摔倒 在 地 上", "倒 在 地 上", "躺 在 地 上", "跌倒", "倒地", "躺着"),
    "bicycle": (
        "骑 自行车",
        "骑着 自行车",
        "骑 自行车",
        "骑 单车",
        "骑车",
        "骑着 一 辆 自行车",
    ),
    "motorcycle": ("骑 摩托车", "骑着 摩托车", "骑 摩托", "骑着 一 辆 摩托车"),
}

DOG_ACTIONS: dict[str, tuple[str, ...]] = {
    "standing": ("站着", "站立", "站着 不动"),
    "running": ("奔跑", "跑着", "跑动"),
    "sitting": ("坐着", "蹲着", "坐 在 地 上"),
}

WHO: dict[str, tuple[str, ...]] = {
    "bicycle": ("骑车人", "骑行者"),
    "motorcycle": ("摩托车手",),
    "walking": ("行人",),
}
"""Nouns that say what is being done."""

BAGS = ("背着 包", "背 包", "拿着 包", "提着 包", "拎着 一 个 包", "带着 包")

LETTERED = (
    "印有 {}",
    "印有 {}",
    "印着 {}",
    "写着 {}",
    "写有 {}",
    "标有 {}",
    "带有 {} 字样",
    "印有 {} 字样",
    "车身 上 写着 {}",
    "车身 印有 {}",
    "上面 写着 {}",
    "侧面 写着 {}",
)

PLACES: dict[Place, tuple[str, ...]] = {
    "junction": ("路口", "路口", "十字路口", "马路 上", "路 上"),
    "car_park": ("停车场", "停车场 里", "停车场 内"),
    "gate": ("门口", "大门口", "大门 前", "大门 旁"),
    "loading_dock": ("装卸区", "装货区", "卸货区", "装卸 平台"),
    "shop_aisle": ("商店 里", "超市 里", "店 里", "商店 过道 里"),
    "snow_field": ("雪地 上", "雪地 上", "雪地 里", "雪原 上"),
}

EMPTY_PLACES: dict[Place, tuple[str, ...]] = {
    "junction": ("路口", "十字路口", "马路"),
    "car_park": ("停车场",),
    "gate": ("门口", "大门口"),
    "loading_dock": ("装卸区", "装货区", "卸货区"),
    "shop_aisle": ("商店", "超市", "商店 过道"),
    "snow_field": ("雪地", "雪原"),
}

LIGHTS: dict[Light, tuple[str, ...]] = {
    "day": ("白天",),
    "dusk": ("黄昏", "傍晚", "黄昏 时分"),
    "night": ("夜里", "晚上", "夜晚", "夜间"),
}

WEATHERS: dict[Weather, tuple[str, ...]] = {
    "clear": (),
    "rain": ("雨中", "雨中", "下雨 时", "下雨天", "雨天"),
    "snow": ("雪中", "雪地 上", "雪地 里", "下雪 时", "雪天"),
}

SCENERY = ("雨中", "雪中", "雪地 上", "雪地 里")
"""Weathers that may stand behind 在."""

BEFORE = ("画面 中 有", "监控 画面 里 的", "照片 里 有", "有", "图片 中 的")
BEHIND = ("的 照片", "的 图片", "的 画面", "的 监控 画面")
BETWEEN = ("和", "和", "和", "与", "、", "，", "旁边 有", "还有")

_BLANK = re.compile(r"(?<=[^\x00-\x7f]) (?=[^\x00-\x7f])")


def _one(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def written(rng: np.random.Generator, words: str) -> str:
    """A sentence as it is written: without blanks, or with those round Latin letters alone."""
    return words.replace(" ", "") if rng.random() < 0.4 else _BLANK.sub("", words)


def _number(rng: np.random.Generator, claim: ThingClaim, noun: str) -> str:
    measures = MEASURES.get(claim.kind, VEHICLE_MEASURES)
    measure = "个" if noun == "人" else _one(rng, measures)
    return f"{_one(rng, NUMBERS[claim.count])} {measure}"


def _coloured(rng: np.random.Generator, colour: str, noun: str) -> str:
    """A colour before its noun: the short word without 的, the long one with it, or without before
    a long noun.
    """
    word = _one(rng, COLOURS[colour])
    is_close = len(word) == 1 or (len(noun) > 1 and rng.random() < 0.6)
    return f"{word} {noun}" if is_close else f"{word} 的 {noun}"


def _doing(rng: np.random.Generator, doing: str) -> str:
    """An action as a predicate; what lasts needs no word for "being about it"."""
    is_state = doing.endswith(("着", "不动", "地 上", "站立", "倒", "倒地"))
    return doing if is_state else f"{_one(rng, ('在', '正在', '正'))} {doing}"


def _worn(rng: np.random.Generator, has: dict[str, str]) -> list[str]:
    """What a person wears and carries, each a verb with its object."""
    clothes = []
    if "top" in has:
        clothes.append(_coloured(rng, has["top"], _one(rng, TOPS)))
    if "trousers" in has:
        clothes.append(_coloured(rng, has["trousers"], "裤子"))
    phrases = []
    if clothes:
        verb = _one(rng, ("穿", "穿着", "穿着", "身穿"))
        phrases.append(f"{verb} {_one(rng, (' 和 ', ' 、 ', ' ')).join(clothes)}")
    if hat := has.get("hat"):
        worn = "帽子" if hat == ANY else _coloured(rng, hat, "帽子")
        phrases.append(f"{_one(rng, ('戴', '戴着', '戴着', '头戴'))} {worn}")
    if "bag" in has:
        phrases.append(_one(rng, BAGS))
    if umbrella := has.get("umbrella"):
        noun = _one(rng, ("伞", "雨伞"))
        held = noun if umbrella == ANY else _coloured(rng, umbrella, noun)
        phrases.append(f"{_one(rng, ('打', '打着', '撑', '撑着', '拿着'))} {held}")
    return phrases


def _person(rng: np.random.Generator, claim: ThingClaim, *, numbered: bool, is_clause: bool) -> str:
    has, noun = dict(claim.attributes), "人" if claim.count > 1 else _one(rng, NOUNS["person"])
    action, phrases, doing = has.get("action", ""), _worn(rng, has), ""
    if action in WHO and rng.random() < 0.12:
        noun = _one(rng, WHO[action])
    elif action:
        doing = _one(rng, ACTIONS[action])
    number = _number(rng, claim, noun) if numbered else ""
    if set(has) == {"top"} and rng.random() < 0.15:
        return f"{number} {_coloured(rng, has['top'], _one(rng, TOPS))} 的 {noun}"
    draw = rng.random() if is_clause else 1.0
    if draw < 0.2 and (phrases or doing):
        link = _one(rng, (" ", " ， "))
        return f"{number} {noun} " + link.join([*phrases, *([doing] if doing else [])])
    if doing and draw < 0.42:
        first = f"{_joined(rng, phrases)} 的 {noun}" if phrases else noun
        return f"{number} {first} {_doing(rng, doing)}"
    if doing:
        phrases.insert(len(phrases) if rng.random() < 0.75 else 0, doing)
    return f"{number} {_joined(rng, phrases)} 的 {noun}" if phrases else f"{number} {noun}"


def _joined(rng: np.random.Generator, phrases: list[str]) -> str:
    return _one(rng, (" ", " ", " 、 ", " ， ")).join(phrases)


def _vehicle(
    rng: np.random.Generator, claim: ThingClaim, *, numbered: bool, is_clause: bool
) -> str:
    has, noun = dict(claim.attributes), _one(rng, NOUNS[claim.kind])
    number = _number(rng, claim, noun) if numbered else ""
    thing = _coloured(rng, has["colour"], noun) if "colour" in has else noun
    if "lettering" not in has:
        return f"{number} {thing}"
    draw = rng.random()
    if draw < 0.08:
        return f"{number} {has['lettering']} {thing}"
    phrase = _one(rng, LETTERED).format(has["lettering"])
    if draw < 0.25 and is_clause:
        return f"{number} {thing} {_one(rng, ('', '， '))}{phrase}"
    if draw < 0.4 and "colour" in has:
        return f"{number} {_one(rng, COLOURS[has['colour']][:2])} 的 {phrase} 的 {noun}"
    return f"{number} {phrase} 的 {thing}"


def _dog(rng: np.random.Generator, claim: ThingClaim, *, numbered: bool, is_clause: bool) -> str:
    has, noun = dict(claim.attributes), _one(rng, NOUNS["dog"])
    number = _number(rng, claim, noun) if numbered else ""
    thing = _coloured(rng, has["colour"], noun) if "colour" in has else noun
    if "action" not in has:
        return f"{number} {thing}"
    doing = _one(rng, DOG_ACTIONS[has["action"]])
    if is_clause and rng.random() < 0.45:
        return f"{number} {thing} {_doing(rng, doing)}"
    return f"{number} {doing} 的 {thing}"


def _thing(rng: np.random.Generator, claim: ThingClaim, *, plain: bool, is_clause: bool) -> str:
    numbered = plain or claim.count > 1 or rng.random() < 0.55
    say = {"person": _person, "dog": _dog}.get(claim.kind, _vehicle)
    return say(rng, claim, numbered=numbered, is_clause=is_clause)


def _empty(rng: np.random.Generator, facts: Facts, when: list[str]) -> str:
    if facts.place and rng.random() < 0.7:
        place = _one(rng, EMPTY_PLACES[facts.place])
        how = _one(rng, ("空荡荡 的", "空旷 的", "空无一人 的", "无人 的", "空 的"))
        return " ".join([*when, how, place])
    where = [_one(rng, PLACES[facts.place])] if facts.place else []
    return " ".join([*when, *where, _one(rng, ("空无一人", "什么 都 没有", "没有 人"))])


def chinese_words(rng: np.random.Generator, facts: Facts, *, plain: bool = False) -> str:
    """The claims as one Chinese sentence, with blanks between its words; ``plain`` names numbers
    and leaves out openings such as "in the picture there is".
    """
    when = [_one(rng, LIGHTS[facts.light])] if facts.light else []
    weather = facts.weather if facts.weather and facts.weather != "clear" else None
    sky = [_one(rng, WEATHERS[weather])] if weather else []
    if facts.empty:
        return " ".join(_empty(rng, facts, when + sky).split())
    place = [_one(rng, PLACES[facts.place])] if facts.place else []
    is_clause = len(facts.things) == 1
    things = [_thing(rng, claim, plain=plain, is_clause=is_clause) for claim in facts.things]
    text = f" {_one(rng, BETWEEN)} ".join(things)
    where = when + sky + place
    draw = rng.random()
    if place and draw < 0.25:
        text = " ".join([*when, *sky, text, "在", *place])
    elif sky and not place and sky[0] in SCENERY and draw < 0.25:
        text = " ".join([*when, text, "在", *sky])
    elif where:
        link = _one(rng, ("的", "的", "有", ""))
        text = " ".join([*where, link, text])
    if not plain and rng.random() < 0.18:
        before = not where and rng.random() < 0.6
        text = f"{_one(rng, BEFORE)} {text}" if before else f"{text} {_one(rng, BEHIND)}"
    return " ".join(text.split())
