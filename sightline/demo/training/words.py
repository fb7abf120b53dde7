"""The grammar's words: the ways each thing, attribute, place, light and weather may be said."""

from __future__ import annotations

from sightline.demo.scenes.scenes import Light, Place, Weather

PEOPLE = ("person", "person", "person", "man", "woman", "someone")

TOPS = ("top", "top", "shirt", "jacket", "coat", "jumper", "t-shirt", "hoodie")

TROUSERS = ("trousers", "trousers", "pants")

HATS = ("hat", "hat", "cap")

BAGS = ("carrying a bag", "with a bag", "holding a bag")

ACTIONS: dict[str, tuple[str, ...]] = {
    "standing": ("standing", "standing still", "who is standing"),
    "walking": ("walking", "walking along", "who is walking"),
    "running": ("running", "running", "jogging", "who is running"),
    "fallen": (
        "lying on the ground",
        "fallen",
        "who has fallen",
        "who has fallen over",
        "lying down",
    ),
    "bicycle": (
        "riding a bicycle",
        "riding a bike",
        "on a bicycle",
        "on a bike",
        "cycling",
        "with a bicycle",
    ),
    "motorcycle": (
        "riding a motorcycle",
        "riding a motorbike",
        "on a motorcycle",
        "on a motorbike",
    ),
}

DOG_ACTIONS: dict[str, tuple[str, ...]] = {
    "standing": ("standing", "standing still"),
    "running": ("running",),
    "sitting": ("sitting", "sitting down"),
}

NOUNS: dict[str, tuple[str, ...]] = {
    "car": ("car",),
    "taxi": ("taxi", "taxi", "cab"),
    "van": ("van", "van", "delivery van"),
    "pickup": ("pick-up", "pickup", "pick-up truck", "pickup truck"),
    "bus": ("bus",),
    "lorry": ("lorry", "lorry", "truck"),
    "vehicle": ("vehicle",),
    "dog": ("dog",),
    "person": PEOPLE,
}

PLURALS = {
    "person": "people",
    "lorry": "lorries",
    "truck": "trucks",
    "bus": "buses",
    "man": "people",
    "woman": "people",
    "someone": "people",
}

LETTERED = (
    "lettered {}",
    "lettered {}",
    "with {} on it",
    "with {} written on it",
    "with {} on the side",
    "with the letters {}",
    "with the word {}",
    "marked {}",
    "saying {}",
    "that says {}",
)

PLACES: dict[Place, tuple[str, ...]] = {
    "junction": ("at a junction", "at the junction", "at a crossroads", "on the road"),
    "car_park": ("in a car park", "in the car park", "in a parking lot"),
    "gate": ("at a gate", "at the gate", "by the gate"),
    "loading_dock": ("at a loading dock", "at the loading dock", "in a loading bay"),
    "shop_aisle": ("in a shop aisle", "in a shop", "in the shop", "in a supermarket"),
    "snow_field": ("in a snow field", "in a snowy field"),
}

EMPTY_PLACES: dict[Place, tuple[str, ...]] = {
    "junction": ("junction", "crossroads"),
    "car_park": ("car park", "parking lot"),
    "gate": ("gate",),
    "loading_dock": ("loading dock", "loading bay"),
    "shop_aisle": ("shop aisle", "shop"),
    "snow_field": ("snow field", "snowy field"),
}

LIGHTS: dict[Light, tuple[str, ...]] = {
    "day": ("by day", "in daylight", "during the day"),
    "dusk": ("at dusk", "in the evening"),
    "night": ("at night", "at night", "after dark", "in the dark"),
}

WEATHERS: dict[Weather, tuple[str, ...]] = {
    "clear": (),
    "rain": ("in the rain", "in rain"),
    "snow": ("in the snow", "in snow"),
}

OPENINGS = (
    "a photo of ",
    "a picture of ",
    "an image of ",
    "footage of ",
    "a frame of ",
    "a blurry photo of ",
    "security camera footage of ",
    "there is ",
)

NUMBERS = {2: ("two", "two", "two", "a pair of"), 3: ("three",)}
