"""The grammar's Chinese: it says what the English says, in words the encoder knows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_core.encoders.prompts import unknown_words
from sightline.demo.scenes.facts import ANY, Facts, ThingClaim
from sightline.demo.training.captions import facts, say
from sightline.demo.training.chinese import COLOURS, NOUNS, chinese_words, written
from sightline.demo.training.evaluate import held_out_scenes, make_sentences
from sightline.demo.training.sampling import sample_scene
from sightline.demo.training.train import build_tokenizer
from sightline.demo.training.vocabulary import CONTEXT_LENGTH

seeds = st.integers(0, 2**31)

ASKED = ("车", "雪地上两只狗", "穿着蓝色上衣骑自行车的人", "一个印有 JCN 的卡车", "白色的车")
"""What the product was first described with."""


@settings(max_examples=300)
@given(seeds)
def test_words_in_the_chinese_text_are_backed_by_claims(seed: int) -> None:
    rng = np.random.default_rng(seed)
    claims = facts(rng, sample_scene(rng, allow_held_out=True))
    words = set(chinese_words(rng, claims).split())
    values = {value for claim in claims.things for _, value in claim.attributes}
    for colour, said in COLOURS.items():
        assert bool(words & set(said)) == (colour in values), words
    for lettering in ("JCN", "POST", "FERN"):
        assert (lettering in words) == (lettering in values)
    kinds = {claim.kind for claim in claims.things}
    for kind in ("dog", "bus", "pickup", "taxi"):
        assert bool(words & set(NOUNS[kind])) == (kind in kinds)
    names = {name for claim in claims.things for name, _ in claim.attributes}
    for name, nouns in (("hat", {"帽子"}), ("umbrella", {"伞", "雨伞"}), ("trousers", {"裤子"})):
        assert bool(words & nouns) == (name in names)
    assert bool(words & {"夜里", "晚上", "夜晚", "夜间"}) == (claims.light == "night")


@settings(max_examples=100)
@given(seeds)
def test_both_languages_say_the_same_claims(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scene = sample_scene(rng)
    claims = facts(rng, scene)
    english, chinese = say(rng, claims), say(rng, claims, language="zh")
    assert english.facts == chinese.facts == claims and chinese.holds(scene)
    assert english.text != chinese.text


def test_the_sentences_of_a_measurement_claim_the_same_in_both_languages() -> None:
    scenes = held_out_scenes(200, forced=10)
    english, chinese = make_sentences(scenes), make_sentences(scenes, language="zh")
    for name, sentences in english.items():
        assert [one.facts for one in sentences] == [one.facts for one in chinese[name]]


def test_the_same_claims_are_said_in_many_ways() -> None:
    rng = np.random.default_rng(0)
    claims = Facts((ThingClaim("lorry", (("colour", "white"), ("lettering", "JCN"))),))
    texts = {say(rng, claims, language="zh").text for _ in range(400)}
    assert len(texts) > 100
    assert "一辆印有 JCN 的白色卡车" in texts and "印有JCN的白卡车" in texts


def test_blanks_stand_round_latin_letters_alone() -> None:
    rng = np.random.default_rng(1)
    texts = {written(rng, "一 个 印有 JCN 的 卡车") for _ in range(50)}
    assert texts == {"一个印有 JCN 的卡车", "一个印有JCN的卡车"}


def test_every_chinese_word_is_one_token_wherever_it_stands() -> None:
    tokenizer, rng = build_tokenizer(), np.random.default_rng(2)
    for _ in range(500):
        claims = facts(rng, sample_scene(rng, allow_held_out=True))
        words = chinese_words(rng, claims)
        if not any(letter.isascii() and letter.isalpha() for letter in words):
            tokens = tokenizer.encode(words.replace(" ", ""))
            assert len(tokens) == len(words.split()), words


def test_the_tokenizer_gives_back_the_chinese_it_took() -> None:
    tokenizer, rng = build_tokenizer(), np.random.default_rng(3)
    for _ in range(200):
        text = say(rng, facts(rng, sample_scene(rng)), language="zh").text.lower()
        read = tokenizer.decode(tokenizer.encode(text)).replace(" ", "")
        assert read == text.replace(" ", "").replace("，", ",")


def test_chinese_captions_fit_the_context() -> None:
    tokenizer, rng = build_tokenizer(), np.random.default_rng(4)
    texts = [say(rng, facts(rng, sample_scene(rng)), language="zh").text for _ in range(1000)]
    cut = [text for text in texts if len(tokenizer.encode(text)) + 2 > CONTEXT_LENGTH]
    assert len(cut) < 10


@settings(max_examples=100)
@given(seeds)
def test_the_encoder_knows_every_word_that_is_said(seed: int) -> None:
    rng = np.random.default_rng(seed)
    text = say(rng, facts(rng, sample_scene(rng, allow_held_out=True)), language="zh").text
    assert unknown_words("sightline-demo", text).words == ()


@pytest.mark.parametrize("text", [*ASKED, "请帮我找一辆红色的出租车", "two 只狗 in the 雪地"])
def test_what_people_ask_is_known(text: str) -> None:
    assert unknown_words("sightline-demo", text).share == 0.0


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("一架飞机正在起飞", {"架飞机", "起飞"}),
        ("红色的救护车", {"救护"}),
        ("量子纠缠", {"量子纠缠"}),
        ("一匹 shiny 的马", {"匹", "shiny", "马"}),
    ],
)
def test_chinese_that_no_caption_says_is_unknown(text: str, unknown: set[str]) -> None:
    assert set(unknown_words("sightline-demo", text).words) == unknown


def test_an_umbrella_of_any_colour_has_none() -> None:
    rng = np.random.default_rng(5)
    claims = Facts((ThingClaim("person", (("umbrella", ANY),)),))
    colours = {word for said in COLOURS.values() for word in said}
    for _ in range(100):
        assert not colours & set(chinese_words(rng, claims).split())
