"""Settings: one object, read from SIGHTLINE_* variables, .env and sightline.toml."""

from __future__ import annotations

from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from search_core.errors import SettingsError
from search_core.schema.camera import CameraSettings
from search_core.schema.clocks import Clocks, ClockSettings, Duration, Zone, clocks_of

#: The encoder of a library that is there; of a new one, the one recommended for the machine.
AUTO_MODEL = "auto"
#: Each worker is a process; more than any machine has cores only exhaust its memory.
MOST_WORKERS = 512
_NO_PATH = f"Input is not a valid path for {Path}"
QUEUE_SCHEMES = ("redis", "rediss", "unix")


class MilvusSettings(BaseModel):
    """Where Milvus is. No ``uri`` means Milvus Lite inside the data directory."""

    uri: str | None = None
    token: SecretStr | None = None
    timeout_s: float = Field(default=60.0, gt=0)
    #: Where `ingest --bulk` leaves files that the server reads: a folder, or s3://BUCKET/PREFIX.
    bulk_storage: str | None = None

    @field_validator("uri")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value and "://" in value:
            _ = urlsplit(value).port  # raises ValueError
        return value


class EncoderSettings(BaseModel):
    """How the encoder runs: device, precision of its weights, images per forward pass.

    ``download`` says whether weights are fetched from the model hub: "ask" at a terminal, "yes"
    without asking, "never".
    """

    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    batch_size: int = Field(default=32, ge=1, le=4096)
    download: Literal["ask", "yes", "never"] = "ask"


class MediaSettings(BaseModel):
    """How media is decoded: limits, thumbnails (longest side in pixels), worker processes.

    ``server_folders`` are folders of this machine from which the dashboard may take in files.
    ``detector`` is an ONNX file that it offers to find regions with.
    ``read``: whether an ingest reads lettering where what reads it is installed.
    """

    max_pixels: int = Field(default=178_956_970, ge=1)
    max_animation_frames: int = Field(default=64, ge=1)
    thumbnail_px: int = Field(default=384, ge=32, le=4096)
    workers: int | None = Field(default=None, ge=0, le=MOST_WORKERS)
    server_folders: tuple[Path, ...] = ()
    detector: Path | None = None
    read: Literal["auto", "off"] = "auto"


class RemoteSettings(BaseModel):
    """Media at addresses: what may be fetched, from where, and how much of it at most.

    Credentials are not here: they are read as AWS's and Google's own tools read them.
    """

    #: Whether http:// and https:// addresses are fetched at all.
    allow_urls: bool = False
    #: Hosts that http(s) addresses may lead to although they are private or this machine's own.
    private_hosts: tuple[str, ...] = ()
    #: Whether a job, which anybody at the dashboard may ask for, may name addresses.
    allow_jobs: bool = False
    #: Where a server is that speaks S3 and is not Amazon's.
    s3_endpoint: str | None = None
    max_bytes: int = Field(default=64 * 1024**3, ge=1)
    max_seconds: float = Field(default=4 * 3600.0, gt=0)


class FolderSettings(BaseModel):
    """A table ``[folders.NAME]``: a folder to watch, and how what appears in it is taken in.

    ``library`` is the usual one if not given; ``keyframes``, ``regions`` and ``camera`` are as for
    an ingest.
    """

    model_config = ConfigDict(extra="forbid")

    path: Path
    library: str | None = None
    camera: str | None = None
    keyframes: str = "auto"
    regions: str = "off"
    tags: tuple[str, ...] = ()


class AccessSettings(BaseModel):
    """Who may come in. ``without_login`` lets anybody in at any address.

    It is meant for a container whose port is published on the loopback address alone; where there
    are users (see access_control) it changes nothing.
    """

    without_login: bool = False


class NamesSettings(BaseModel):
    """Patterns of file names beside those of known recorders: see ``sightline ingest --help``."""

    patterns: tuple[str, ...] = ()


class InDataDir:
    """A file or folder of the data directory, by its name there; of a Settings it is the path."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, settings: Settings, owner: type[Settings]) -> Path:
        return settings.data_dir / self._name


class Settings(BaseSettings):
    """Everything that can be configured.

    Environment: ``SIGHTLINE_DATA_DIR``, ``SIGHTLINE_LIBRARY``, ``SIGHTLINE_TIMEZONE``,
    ``SIGHTLINE_MODEL``, ``SIGHTLINE_PRETRAINED``, ``SIGHTLINE_MILVUS_URI``,
    ``SIGHTLINE_ENCODER_DEVICE`` …; the same names, lower case, in ``sightline.toml`` with
    ``[milvus]``, ``[encoder]``, ``[media]``, ``[remote]``, ``[access]``, ``[names]`` and
    ``[clocks.CAMERA]`` tables.
    """

    model_config = SettingsConfigDict(
        env_prefix="SIGHTLINE_",
        env_nested_delimiter="_",
        env_nested_max_split=1,
        env_file=".env",
        env_file_encoding="utf-8",
        toml_file="sightline.toml",
        extra="ignore",
        protected_namespaces=(),
        ignored_types=(InDataDir,),
    )

    data_dir: Path = Path("data")
    library: str = "main"
    #: The zone of times that cameras write without one; None is this machine's.
    timezone: Zone = None
    model: str = AUTO_MODEL
    pretrained: str | None = None
    #: The Redis server of the job queue, ``redis://[:PASSWORD@]HOST:PORT/NUMBER``, for workers that
    #: share it; without one jobs are queued in the data directory.
    queue: SecretStr | None = None
    #: Whether searches are kept in the data directory: to measure indexes with (see query_log), and
    #: pictures searched by so that links carry them (see query_pictures).
    record_searches: bool = True
    milvus: MilvusSettings = MilvusSettings()
    encoder: EncoderSettings = EncoderSettings()
    media: MediaSettings = MediaSettings()
    remote: RemoteSettings = RemoteSettings()
    access: AccessSettings = AccessSettings()
    names: NamesSettings = NamesSettings()
    #: Live cameras and watched folders by name, and how long whole libraries are kept.
    cameras: dict[str, CameraSettings] = Field(default_factory=dict)
    folders: dict[str, FolderSettings] = Field(default_factory=dict)
    retain: dict[str, Duration] = Field(default_factory=dict)
    #: Libraries whose keyframes go once their file was deleted, and how old they are at least then.
    forget_missing: dict[str, Duration] = Field(default_factory=dict)
    #: Cameras whose clock shows another zone, or is wrong, by name: those of files, not live ones.
    clocks: dict[str, ClockSettings] = Field(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: options given in code, environment, .env, sightline.toml."""
        return (
            init_settings,
            env_settings,
            dotenv_settings,
            TomlConfigSettingsSource(settings_cls),
        )

    @field_validator("queue")
    @classmethod
    def _is_queue(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        if urlsplit(value.get_secret_value()).scheme not in QUEUE_SCHEMES:
            raise ValueError("must be an address such as redis://HOST:6379/0")
        return value

    @property
    def queue_shown(self) -> str:
        """Where jobs are queued, without a password."""
        if self.queue is None:
            return str(self.jobs_path)
        address = urlsplit(self.queue.get_secret_value())
        return f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"

    @property
    def camera_clocks(self) -> Clocks:
        """How the times that cameras wrote are read."""
        return clocks_of(self.timezone, self.clocks)

    #: The embedded Milvus's data directory.
    milvus_lite_dir = InDataDir("milvus.db")
    #: The ingest ledger (SQLite).
    ledger_path = InDataDir("ledger.sqlite")
    #: The job queue (SQLite).
    jobs_path = InDataDir("jobs.sqlite")
    #: The folder of index comparisons.
    comparisons_dir = InDataDir("comparisons")
    #: The recorded searches (SQLite).
    searches_path = InDataDir("searches.sqlite")
    #: The saved searches (SQLite).
    saved_searches_path = InDataDir("saved-searches.sqlite")
    #: The folder of pictures that were searched by, kept for links to such searches.
    query_pictures_dir = InDataDir("query-pictures")
    #: The users and what they may do; there is a login when it exists.
    users_path = InDataDir("users.json")
    #: Who is logged in, and failed attempts (SQLite).
    logins_path = InDataDir("logins.sqlite")
    #: The cameras that were added while Sightline runs, with their passwords.
    cameras_path = InDataDir("cameras.toml")
    #: The watched folders that were added while Sightline runs.
    folders_path = InDataDir("folders.toml")
    #: What probes of Milvus servers found.
    probes_path = InDataDir("milvus-probes.json")
    #: The cases that evidence is collected in (SQLite).
    cases_path = InDataDir("cases.sqlite")
    #: The audit log (SQLite).
    audit_path = InDataDir("audit.sqlite")
    #: The folder of thumbnails.
    thumbnails_dir = InDataDir("thumbnails")
    #: The folder of the pictures kept of live cameras.
    stills_dir = InDataDir("stills")
    #: The folder of remote files while they are decoded.
    spool_dir = InDataDir("spool")
    #: The folder that keeps files uploaded through the dashboard and members of archives.
    uploads_dir = InDataDir("uploads")


def load_settings(
    *,
    data_dir: Path | None = None,
    library: str | None = None,
    model: str | None = None,
    pretrained: str | None = None,
) -> Settings:
    """Read the settings; what is given here wins over environment and files.

    Raises SettingsError, naming each setting that has a value it cannot have.
    """
    given = {
        "data_dir": data_dir,
        "library": library,
        "model": model,
        "pretrained": pretrained,
    }
    try:
        settings = Settings.model_validate({k: v for k, v in given.items() if v is not None})
    except (ValidationError, TOMLDecodeError, RecursionError) as error:
        raise SettingsError(
            "A setting cannot be used: {problems}.",
            "Look at the SIGHTLINE_* variables, .env and sightline.toml.",
            problems=_problems(error),
        ) from None
    return settings.model_copy(update={"data_dir": _absolute(settings.data_dir)})


def _absolute(data_dir: Path) -> Path:
    """Return the data directory as an absolute path; raises SettingsError."""
    try:
        return data_dir.expanduser().absolute()
    except RuntimeError:
        user = data_dir.parts[0].removeprefix("~")
        raise SettingsError(
            "The data directory {path} cannot be used: there is no user {user}."
            if user
            else "The data directory {path} cannot be used: the home directory is not known.",
            "Give a path without ~ as --data-dir or SIGHTLINE_DATA_DIR.",
            path=data_dir,
            user=user,
        ) from None
    except FileNotFoundError:
        raise SettingsError(
            "The current folder does not exist any more.",
            "Change to another folder, or give an absolute path as --data-dir.",
        ) from None


def _problems(error: ValidationError | TOMLDecodeError | RecursionError) -> str:
    if isinstance(error, TOMLDecodeError):
        return f"sightline.toml: {error}"
    if isinstance(error, RecursionError):
        return "one has brackets within brackets, too deep to be read"
    return "; ".join(_problem(item) for item in error.errors())


def _problem(item: ErrorDetails) -> str:
    """Return one problem in words; what is wrong with a file is one of no particular field."""
    if isinstance(item.get("ctx", {}).get("error"), UnicodeDecodeError):
        return "sightline.toml or .env is not UTF-8 text"
    place = ".".join(map(str, item["loc"])) or "sightline.toml"
    said = item["msg"].removeprefix("Value error, ")
    return f"{place}: {said.replace(_NO_PATH, 'Input should be a path')}"
