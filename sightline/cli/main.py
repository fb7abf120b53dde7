"""The `sightline` command: its global options, its commands, and how it is started."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sightline.cli import demo, index, search
from sightline.cli.admin import audit, doctor, models, users
from sightline.cli.cameras import cameras, folders, watch
from sightline.cli.errors import ended_in_order, told_plainly
from sightline.cli.evidence import cases
from sightline.cli.evidence.clips import clip
from sightline.cli.ingest import ingest, plan
from sightline.cli.library import delete, library, searches, verify
from sightline.cli.options import GlobalOptions
from sightline.cli.serve import jobs, serve
from sightline.cli.terminal import make_printable

_ANYWHERE = ("--data-dir", "--model", "--pretrained")


class SightlineGroup(TyperGroup):
    """A group whose global options may stand anywhere, and whose errors have no traceback."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse with the global options brought to the front."""
        with told_plainly(Path("data") / "logs"):
            return super().parse_args(ctx, _global_first(args))

    def invoke(self, ctx: Any) -> Any:
        """Run the command; errors become a message and an exit code."""
        data_dir = ctx.params.get("data_dir") or Path("data")
        with told_plainly(data_dir / "logs"):
            return super().invoke(ctx)


def _global_first(args: list[str]) -> list[str]:
    front: list[str] = []
    rest: list[str] = []
    waiting = iter(args)
    for argument in waiting:
        if argument == "--":
            rest.append(argument)
            break
        name, has_value, _ = argument.partition("=")
        if name not in _ANYWHERE:
            rest.append(argument)
            continue
        front.append(argument)
        if not has_value:
            front.extend([value] if (value := next(waiting, None)) is not None else [])
    return [*front, *rest, *waiting]


app = typer.Typer(
    name="sightline",
    cls=SightlineGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="A first session: `sightline ingest FOLDER`, then "
    '`sightline search "a white car"`, then `sightline serve`.',
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"sightline {version('sightline')}")
        raise typer.Exit


@app.callback()
def sightline(
    ctx: typer.Context,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="SIGHTLINE_DATA_DIR",
            metavar="FOLDER",
            help="Where everything is kept: vectors, thumbnails, the ledger. Default: ./data",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            envvar="SIGHTLINE_MODEL",
            metavar="NAME",
            help="The encoder: a name `sightline models` lists, any open_clip name, "
            "hf-hub:OWNER/NAME or local-dir:FOLDER. Default: auto, the encoder of the library; a "
            "new one gets the one recommended for footage where its weights are here or may be "
            "downloaded, else sightline-demo.",
        ),
    ] = None,
    pretrained: Annotated[
        str | None,
        typer.Option(
            envvar="SIGHTLINE_PRETRAINED",
            metavar="TAG|FILE",
            help="The encoder's weights: an open_clip tag or a checkpoint file.",
        ),
    ] = None,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """Search footage and photographs by sentence or by picture.

    The options below may also stand after the command. Vectors are kept in an embedded Milvus
    inside the data directory, or on the server that SIGHTLINE_MILVUS_URI names. Commands exit
    with 0 when they did what was asked, 1 when they failed, 2 when they were asked wrongly.
    """
    ctx.obj = GlobalOptions(data_dir, model, pretrained)


_FIND = "Take in and find"
_MANAGE = "Look after the library"
_RUN = "Run and check"

app.command("ingest", rich_help_panel=_FIND)(ingest.ingest)
app.command("plan", rich_help_panel=_FIND)(plan.plan)
app.command("watch", rich_help_panel=_FIND)(watch.watch)
app.command("search", rich_help_panel=_FIND)(search.search)
app.add_typer(searches.app, name="searches", rich_help_panel=_FIND)
app.command("clip", rich_help_panel=_FIND)(clip)
app.add_typer(cases.app, name="case", rich_help_panel=_FIND)
app.command("demo", rich_help_panel=_FIND)(demo.demo)
app.command("status", rich_help_panel=_MANAGE)(library.status)
app.command("failures", rich_help_panel=_MANAGE)(ingest.failures)
app.add_typer(cameras.app, name="cameras", rich_help_panel=_MANAGE)
app.add_typer(folders.app, name="folders", rich_help_panel=_MANAGE)
app.command("prune", rich_help_panel=_MANAGE)(delete.prune)
app.command("delete", rich_help_panel=_MANAGE)(delete.delete)
app.command("verify", rich_help_panel=_MANAGE)(verify.verify)
app.add_typer(library.app, name="library", rich_help_panel=_MANAGE)
app.add_typer(index.app, name="index", rich_help_panel=_MANAGE)
app.command("serve", rich_help_panel=_RUN)(serve.serve)
app.add_typer(users.app, name="users", rich_help_panel=_RUN)
app.command("audit", rich_help_panel=_RUN)(audit.audit)
app.command("worker", rich_help_panel=_RUN)(jobs.worker)
app.add_typer(jobs.app, name="jobs", rich_help_panel=_RUN)
app.add_typer(models.app, name="models", rich_help_panel=_RUN)
app.command("doctor", rich_help_panel=_RUN)(doctor.doctor)


def main() -> None:
    """Run the command line; the console script `sightline` starts here."""
    make_printable()
    with ended_in_order():
        app()


if __name__ == "__main__":
    main()
