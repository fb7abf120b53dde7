"""`sightline models`: the encoders known by name, which to take, and downloading them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any, Literal

import typer
from rich.text import Text

from search_core.encoders.catalogue import (
    ENCODERS,
    SOURCES,
    EncoderSpec,
    find_encoder,
    recommended,
)
from search_core.encoders.choice import for_this_machine
from search_core.encoders.hub import download as fetch
from search_core.encoders.hub import is_here, require_hub
from search_core.errors import UsageError
from search_core.settings import AUTO_MODEL
from sightline.cli.options import JsonOption, YesOption, settings_of
from sightline.cli.terminal import (
    confirm,
    downloading,
    note,
    print_json,
    say,
    say_done,
    table,
)
from sightline.workspace import announced

Machine = Literal["cpu", "gpu"]
_LANGUAGES = {"zh": "Chinese", "en": "English"}
_GPU, _CPU = "with a GPU", "without a GPU"

app = typer.Typer(name="models", invoke_without_command=True)
LanguageOption = Annotated[
    str | None,
    typer.Option(
        "--language",
        metavar="LANGUAGE",
        help="Only those that read sentences in it: Chinese, English, or any other.",
    ),
]
CommercialOption = Annotated[
    bool,
    typer.Option("--commercial", help="Only those whose licence allows commercial use."),
]
ModelArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="A name of the list, or NAME:WEIGHTS.")
]


@app.callback()
def models(
    ctx: typer.Context,
    language: LanguageOption = None,
    commercial: CommercialOption = False,
    max_mb: Annotated[
        int | None,
        typer.Option("--max-mb", min=1, metavar="MB", help="Only weights of at most this size."),
    ] = None,
    here: Annotated[
        bool, typer.Option("--here", help="Only those whose weights are on this machine.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """List encoders: what they weigh and cost, what they find, and what their licence allows.

    Cost is what an image costs beside ViT-B-32. ImageNet is zero-shot top-1, COCO how often the
    first image found for a sentence is the right one, Chinese the same on Crossmodal-3600; all in
    percent, as published, empty where no figure was found. --model takes each of these names and
    any other of open_clip.
    """
    if ctx.invoked_subcommand is not None:
        return
    found = [
        spec
        for spec in ENCODERS
        if (language is None or spec.speaks(_named(language)))
        and (not commercial or spec.commercial)
        and (max_mb is None or spec.weights_bytes <= max_mb * 1e6)
        and (not here or is_here(spec))
    ]
    if json:
        print_json([record(spec) for spec in found])
        return
    if not found:
        say("No encoder of the list is like that.")
        return
    say(_list(found))
    say()
    note("`sightline models recommend` says which to take; `sightline models compare` shows all.")


def record(spec: EncoderSpec) -> dict[str, Any]:
    """Return an encoder as plain JSON values."""
    return {
        **asdict(spec),
        "weights_bytes": spec.weights_bytes,
        "cost": spec.cost,
        "source": SOURCES.get(spec.source, ""),
        "missing_extra": spec.missing_extra,
        "here": is_here(spec),
    }


def _list(specs: list[EncoderSpec]) -> Any:
    numbers = ("MB", "Dim", "Cost", "ImageNet", "COCO", "Chinese")
    made = table(
        *("Model", "Weights", "Here", *numbers, "Languages", "Licence", "Commercial use"),
        right=numbers,
        fold=("Weights", "Languages"),
    )
    for spec in specs:
        made.add_row(
            spec.name,
            spec.pretrained,
            Text("✓", style="green") if is_here(spec) else "",
            f"{spec.weights_bytes / 1e6:,.0f}",
            str(spec.dim),
            _number(spec.cost),
            _number(spec.imagenet),
            _number(spec.coco_text_to_image),
            _number(spec.chinese),
            spec.languages,
            spec.licence,
            _use(spec),
        )
    return made


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _use(spec: EncoderSpec) -> str:
    return {True: "yes", False: "no", None: "" if spec.package else "not known"}[spec.commercial]


def _named(language: str) -> str:
    return _LANGUAGES.get(language.lower(), language)


@app.command("recommend")
def recommend(
    machine: Annotated[
        Machine | None,
        typer.Option("--for", help="For which machine; otherwise for this one."),
    ] = None,
    language: LanguageOption = None,
    json: JsonOption = False,
) -> None:
    """Say which encoder to take, for a CPU, a GPU or a language.

    It is the one that finds most images of COCO by a sentence among those that may be used
    commercially; without a GPU, among those that cost little. In English, among those that the
    installation has all packages for.
    """
    if machine is None:
        from search_core.encoders.openclip import gpu_name

        machine = "gpu" if gpu_name() else "cpu"
    spoken = _named(language or "English")
    spec = recommended(gpu=machine == "gpu", language=spoken)
    if json:
        print_json(record(spec))
        return
    say(_list([spec]))
    say(spec.about)
    if spec.missing_extra:
        say(f"It needs: pip install 'sightline[{spec.missing_extra}]'")
    if is_here(spec):
        say("Its weights are on this machine.")
    else:
        say(f"`sightline models download {spec.name}` gets {announced(spec)}.")
    say(f"A library made with it: sightline --model {spec.name} --pretrained {spec.pretrained} …")


@app.command("compare")
def compare(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME...]", help="Names of the list; the recommended otherwise."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show encoders beside each other, with where each figure is from.

    A name alone stands for all its weights.
    """
    specs = _specs(names) if names else _recommended_ones()
    if json:
        print_json([record(spec) for spec in specs])
        return
    names = [spec.name for spec in specs]
    made = table("", *names, fold=names)
    for title, value in _FACTS.items():
        cells = [value(spec) for spec in specs]
        if any(cells):
            made.add_row(title, *cells)
    say(made)
    for source in dict.fromkeys(spec.source for spec in specs if spec.source):
        note(f"{source}: {SOURCES[source]}")


def _bytes(count: float) -> str:
    return f"{count / 1e6:,.0f} MB"


_FACTS: dict[str, Callable[[EncoderSpec], str]] = {
    "weights": lambda spec: spec.pretrained,
    "good for": lambda spec: spec.about,
    "languages": lambda spec: spec.languages,
    "licence": lambda spec: spec.licence,
    "commercial use": _use,
    "download": lambda spec: _bytes(spec.weights_bytes) if spec.hub else "",
    "memory, float32": lambda spec: _bytes(spec.weights_bytes),
    "memory, 16 bits": lambda spec: _bytes(spec.weights_bytes / 2),
    "parameters": lambda spec: f"{spec.parameters_m:,.0f} M",
    "embedding": lambda spec: f"{spec.dim}",
    "image": lambda spec: f"{spec.image_px} px" if spec.image_px else "",
    "GFLOPs an image": lambda spec: _number(spec.image_gflops),
    "beside ViT-B-32": lambda spec: f"x {_number(spec.cost)}" if spec.cost else "",
    "ImageNet zero-shot": lambda spec: _number(spec.imagenet),
    "COCO, sentence to image": lambda spec: _number(spec.coco_text_to_image),
    "COCO, image to sentence": lambda spec: _number(spec.coco_image_to_text),
    "Chinese sentence to image": lambda spec: _number(spec.chinese),
    "scores from": lambda spec: spec.source,
    "extra packages": lambda spec: f"sightline[{spec.missing_extra}]" if spec.missing_extra else "",
    "on this machine": lambda spec: "yes" if is_here(spec) else "no",
}


def _recommended_ones() -> list[EncoderSpec]:
    chosen = [
        recommended(gpu=gpu, language=language)
        for language in ("English", "Chinese")
        for gpu in (False, True)
    ]
    return list(dict.fromkeys(chosen))


def _specs(names: list[str]) -> list[EncoderSpec]:
    found: list[EncoderSpec] = []
    for name in names:
        model, _, weights = name.partition(":")
        matching = [
            spec for spec in ENCODERS if spec.name == model and weights in ("", spec.pretrained)
        ]
        if not matching:
            raise UsageError(
                f"No encoder of the list is named {name}.", "`sightline models` lists them."
            )
        found.extend(matching)
    return list(dict.fromkeys(found))


@app.command("download")
def download(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="A name of the list, or NAME:WEIGHTS; the recommended otherwise."
        ),
    ] = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Download an encoder's weights, and its tokenizer; what was interrupted is resumed.

    Without a name, --model and --pretrained say which, else it is the one that new libraries get on
    this machine.
    """
    settings = settings_of(ctx)
    if name is not None:
        spec = _specs([name])[0]
    elif settings.model == AUTO_MODEL:
        spec = for_this_machine()[0]
    else:
        spec = find_encoder(settings.model, settings.pretrained) or _specs([settings.model])[0]
    if spec.missing_extra:
        note(f"To be loaded it needs: pip install 'sightline[{spec.missing_extra}]'")
    if not is_here(spec):
        require_hub(spec)
        question = f"Download {announced(spec)}?"
        confirm(question, yes=yes, otherwise="Nothing was downloaded.")
        with downloading(spec.name) as on_progress:
            fetch(spec, on_progress)
    if json:
        print_json(record(spec))
    else:
        say_done(f"{spec.label} is on this machine.")
