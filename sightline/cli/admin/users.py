"""`sightline users`: who may log in to the dashboard, and what each of them may do."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from search_core.access.users import (
    MAX_CHARACTERS,
    Users,
    check_cameras,
    check_name,
    check_password,
    check_role,
)
from search_core.errors import UsageError
from sightline.cli.admin import audit
from sightline.cli.options import JsonOption, YesOption, settings_of
from sightline.cli.terminal import (
    ask_secret,
    confirm,
    local_time,
    note,
    print_json,
    say,
    table,
    warn,
)

app = typer.Typer(
    name="users",
    help="Add, change and remove those who may log in to the dashboard.",
    no_args_is_help=True,
)
NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The name to log in with, such as ann.")
]
RoleOption = Annotated[
    str,
    typer.Option(
        "--role",
        metavar="ROLE",
        help="viewer (searches), operator (also adds footage and tags it) or admin (also "
        "deletes, and changes indexes).",
    ),
]
_STDIN_HINT = "Or give it on standard input: `sightline users add NAME < FILE`."


@app.command("add")
def add(
    ctx: typer.Context,
    name: NameArgument,
    role: RoleOption = "viewer",
    camera: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Only what this camera took may be seen; give it again for several.",
        ),
    ] = None,
    oidc: Annotated[
        bool,
        typer.Option(
            "--oidc",
            help="Logs in at the provider of .streamlit/secrets.toml; NAME is the e-mail address.",
        ),
    ] = False,
) -> None:
    """Add a user; from the first on, nobody sees the dashboard without logging in.

    The password is asked for, or read from standard input; it is kept as an argon2 hash only.
    """
    settings = settings_of(ctx)
    users = Users(settings.users_path)
    known_as, known_role, cameras = check_name(name), check_role(role), check_cameras(camera)
    if users.find(known_as) is not None:
        raise UsageError(f"There is a user {known_as} already.", "`sightline users list` shows it.")
    if oidc and "@" not in known_as:
        raise UsageError(
            f"{known_as} is not an e-mail address.", "A provider knows users by theirs."
        )
    first = not users.exist
    password = None if oidc else _new_password(known_as)
    detail = {"added": known_as, "role": known_role, "cameras": cameras}
    audit.record(settings, "users", detail=detail)
    users.add(known_as, known_role, cameras, password)
    say(f"Added {known_as}, {known_role}.")
    if first:
        note("From now on the dashboard asks everybody to log in.")
    if not any(user.role == "admin" for user in users.all()):
        note("Nobody is an admin yet: nobody can delete in the dashboard, or change indexes.")


@app.command("list")
def list_users(ctx: typer.Context, json: JsonOption = False) -> None:
    """List the users with their roles and cameras."""
    users = Users(settings_of(ctx).users_path)
    found = users.all()
    if json:
        print_json([user.to_dict() for user in found])
        return
    if not found:
        say(
            "There are no users, and nobody can log in; remove users.json from the data directory "
            "to do without a login."
            if users.exist
            else "There are no users: the dashboard asks nobody to log in, and listens on the "
            "loopback address only."
        )
        return
    made = table("Name", "Role", "Cameras", "Logs in with", "Added", fold=("Cameras",))
    for user in found:
        cameras = "all" if user.cameras is None else ", ".join(user.cameras) or "none"
        login = "OIDC" if user.logs_in_elsewhere else "password"
        made.add_row(user.name, user.role, cameras, login, local_time(user.added_ms))
    say(made)


@app.command("remove")
def remove(ctx: typer.Context, name: NameArgument, yes: YesOption = False) -> None:
    """Remove a user, who is logged out at once."""
    settings = settings_of(ctx)
    users = Users(settings.users_path)
    known_as = users.get(name).name
    confirm(f"Remove the user {known_as}?", yes=yes, otherwise="Nobody was removed.")
    audit.record(settings, "users", detail={"removed": known_as})
    users.remove(known_as)
    say(f"Removed {known_as}.")
    if not users.all():
        warn("Nobody can log in now. `sightline users add` adds somebody.")


@app.command("passwd")
def passwd(ctx: typer.Context, name: NameArgument) -> None:
    """Give a user another password, asked for or read from standard input.

    The user is logged out everywhere.
    """
    settings = settings_of(ctx)
    users = Users(settings.users_path)
    user = users.get(name)
    if user.logs_in_elsewhere:
        raise UsageError(
            f"{user.name} logs in at a provider, which keeps the password.",
            "Remove the user and add it again without --oidc to change that.",
        )
    password = _new_password(user.name)
    audit.record(settings, "users", detail={"password changed": user.name})
    users.set_password(user.name, password)
    say(f"Changed the password of {user.name}, who is logged out everywhere.")


@app.command("set-role")
def set_role(
    ctx: typer.Context,
    name: NameArgument,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="viewer, operator or admin.")],
) -> None:
    """Give a user another role, which counts at once."""
    settings = settings_of(ctx)
    users, known_role = Users(settings.users_path), check_role(role)
    user = users.get(name)
    audit.record(settings, "users", detail={"changed": user.name, "role": known_role})
    users.set_role(user.name, known_role)
    say(f"{user.name} was {user.role}, and is {known_role}.")


@app.command("cameras")
def cameras(
    ctx: typer.Context,
    name: NameArgument,
    camera: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CAMERA]...", help="The cameras that may be seen."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All cameras may be seen.")] = False,
    nothing: Annotated[bool, typer.Option("--none", help="No camera may be seen.")] = False,
) -> None:
    """Say which cameras a user may see, in place of those before; counts at once."""
    settings = settings_of(ctx)
    if [bool(camera), everything, nothing].count(True) != 1:
        raise UsageError("Name the cameras, or give --all or --none.")
    users, kept = Users(settings.users_path), check_cameras(None if everything else camera or ())
    user = users.get(name)
    audit.record(settings, "users", detail={"changed": user.name, "cameras": kept})
    users.set_cameras(user.name, kept)
    shown = "all cameras" if kept is None else ", ".join(kept) or "no camera"
    say(f"{user.name} may see {shown}.")


def _new_password(name: str) -> str:
    """Ask for a password twice, or read it from standard input: it is never an argument."""
    if not sys.stdin.isatty():
        given = sys.stdin.read(MAX_CHARACTERS + 2).rstrip("\r\n")
        if not given:
            raise UsageError(f"There is no password for {name}.", _STDIN_HINT)
        if "\n" in given or "\r" in given:
            raise UsageError("The password given has more than one line.", "Give it once, alone.")
        return check_password(given)
    given = ask_secret(f"Password for {name}")
    check_password(given)
    if ask_secret("Once more") != given:
        raise UsageError("The two passwords are not the same.", "Nothing was changed; try again.")
    return given
