"""The grammar: what it says is so, and the vocabulary knows its words."""

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from search_core.encoders.prompts import WORDS_FILE
from sightline.demo.scenes.facts import ANY, ATTRIBUTES, Facts, ThingClaim, claim_of
from sightline.demo.scenes.scenes import Dog, Person, Place, Placement, Scene, Vehicle, Weather
from sightline.demo.training.captions import caption, plain_phrase, say
from sightline.demo.training.sampling import sample_scene, sample_sibling
from sightline.demo.training.train import ENCODER_FOLDER, build_tokenizer
from sightline.demo.training.vocabulary import (
    CONTEXT_LENGTH,
    learn_merges,
    write_vocabulary,
    write_words,
)

seeds = st.integers(0, 2**31)
AT = Placement(0.5, 0.9, 0.5, 1, 0.0)


def _scene(
    *things: Person | Vehicle | Dog, place: Place = "junction", weather: Weather = "clear"
) -> Scene:
    return Scene(place, "day", weather, things, 1)


@settings(max_examples=400)
@given(seeds)
def test_a_caption_never_mentions_what_is_absent(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scene = sample_scene(rng, allow_held_out=True)
    assert caption(rng, scene).holds(scene)


@settings(max_examples=400)
@given(seeds)
def test_a_sibling_is_told_apart_where_words_can(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scene = sample_scene(rng)
    sibling = sample_sibling(rng, scene)
    sentence = caption(rng, sibling.scene, (sibling.index, sibling.attribute))
    assert sentence.holds(sibling.scene)
    if sibling.index >= 0:
        before, after = scene.things[sibling.index], sibling.scene.things[sibling.index]
        if claim_of(after, {sibling.attribute}).attributes:
            named = {name for claim in sentence.facts.things for name, _ in claim.attributes}
            assert sibling.attribute in named
        assert before != after


@given(seeds)
def test_words_in_the_text_are_backed_by_claims(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sentence = caption(rng, sample_scene(rng))
    words = set(sentence.text.lower().replace(",", "").split())
    values = {value.lower() for claim in sentence.facts.things for _, value in claim.attributes}
    for word in (
        "red",
        "orange",
        "yellow",
        "green",
        "blue",
        "purple",
        "pink",
        "jcn",
        "movo",
        "post",
    ):
        assert (word in words) == (word in values)


def test_facts_hold_for_what_is_there_and_fail_for_what_is_not() -> None:
    rider = Person(AT, "blue", "black", "bicycle")
    van = Vehicle(AT, "van", "white", "JCN")
    scene = _scene(rider, van)
    assert Facts((ThingClaim("person", (("top", "blue"), ("action", "bicycle"))),)).holds(scene)
    assert not Facts((ThingClaim("person", (("top", "white"),)),)).holds(scene)
    assert Facts((ThingClaim("van", (("lettering", "JCN"),)),)).holds(scene)
    assert not Facts((ThingClaim("lorry", (("lettering", "JCN"),)),)).holds(scene)
    assert Facts((ThingClaim("vehicle"),)).holds(scene)
    assert not Facts((ThingClaim("person", (("umbrella", ANY),)),)).holds(scene)
    assert not Facts(empty=True).holds(scene)
    assert Facts(place="junction", light="day").holds(scene)
    assert not Facts(weather="rain").holds(scene)


def test_each_claim_needs_a_thing_of_its_own() -> None:
    dog = Dog(AT, "black", "sitting")
    pair = Facts((ThingClaim("dog", (), 2),), weather="snow")
    assert not pair.holds(_scene(dog, place="snow_field"))
    assert pair.holds(_scene(dog, Dog(AT, "brown", "running"), place="snow_field"))
    assert pair.holds(_scene(dog, dog, weather="snow"))
    assert not pair.holds(_scene(dog, dog))
    black_and_any = Facts((ThingClaim("dog", (("colour", "black"),)), ThingClaim("dog")))
    assert not black_and_any.holds(_scene(dog))
    assert black_and_any.holds(_scene(Dog(AT, "white", "running"), dog))


def test_a_taxi_is_a_car_but_a_car_is_no_taxi() -> None:
    taxi, car = Vehicle(AT, "taxi", "yellow"), Vehicle(AT, "car", "yellow")
    assert ThingClaim("car").fits(taxi)
    assert not ThingClaim("taxi").fits(car)


def test_plain_phrases_read_as_written() -> None:
    lorry = claim_of(Vehicle(AT, "lorry", "white", "JCN"), {"colour", "lettering"})
    assert plain_phrase(lorry) == "a white lorry lettered JCN"
    rider = Person(AT, "orange", "black", "bicycle", hat="red")
    every = claim_of(rider, set(ATTRIBUTES[Person]))
    assert plain_phrase(every) == (
        "a person in an orange top and black trousers riding a bicycle with a red hat"
    )


def test_the_same_claims_are_said_in_many_ways() -> None:
    rng = np.random.default_rng(0)
    facts = Facts((ThingClaim("lorry", (("lettering", "JCN"),)),))
    texts = {say(rng, facts).text for _ in range(300)}
    assert len(texts) > 40
    assert any("truck" in text for text in texts)
    assert "a lorry lettered JCN" in texts


def test_the_tokenizer_gives_back_what_it_took() -> None:
    tokenizer = build_tokenizer()
    rng = np.random.default_rng(3)
    for _ in range(100):
        text = caption(rng, sample_scene(rng)).text.lower()
        read = tokenizer.decode(tokenizer.encode(text)).strip()
        assert read.replace(" ", "") == text.replace(" ", "")


def test_every_word_of_the_grammar_is_one_token() -> None:
    tokenizer = build_tokenizer()
    rng = np.random.default_rng(9)
    for _ in range(300):
        for word in caption(rng, sample_scene(rng)).text.lower().replace(",", "").split():
            if word.isalpha():
                assert len(tokenizer.encode(word)) == 1, word


def test_captions_fit_the_context_and_unknown_words_still_encode() -> None:
    tokenizer = build_tokenizer()
    rng = np.random.default_rng(6)
    longest = max(len(tokenizer.encode(caption(rng, sample_scene(rng)).text)) for _ in range(1000))
    assert longest + 2 <= CONTEXT_LENGTH + 6  # cut captions are rare
    tokens = tokenizer(["Zebra crossing, Überraschung 42", "a white car"])
    assert tuple(tokens.shape) == (2, CONTEXT_LENGTH)


def test_case_and_articles_do_not_matter_to_the_tokens() -> None:
    tokenizer = build_tokenizer()
    assert tokenizer.encode("A lorry lettered JCN") == tokenizer.encode("a Lorry lettered jcn")


def test_merges_join_each_word_into_one_piece() -> None:
    merges = learn_merges(["lorry", "lorries", "car"])
    assert ("car</w>") in {first + second for first, second in merges}
    assert learn_merges(["lorry", "lorries", "car"]) == merges


def test_the_shipped_vocabulary_is_what_the_grammar_gives(tmp_path: Path) -> None:
    size = write_vocabulary(tmp_path / "vocabulary.txt.gz")
    shipped = (ENCODER_FOLDER / "vocabulary.txt.gz").read_bytes()
    assert (tmp_path / "vocabulary.txt.gz").read_bytes() == shipped
    assert size == build_tokenizer().eot_token_id + 1


def test_the_shipped_words_are_what_the_grammar_says(tmp_path: Path) -> None:
    write_words(tmp_path / WORDS_FILE)
    assert (tmp_path / WORDS_FILE).read_text() == (ENCODER_FOLDER / WORDS_FILE).read_text()
