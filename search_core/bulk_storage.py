"""Where files for a bulk insert are left, so that the Milvus server can read them by itself."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from search_core.errors import SettingsError, StoreError, UsageError, in_words
from search_core.settings import Settings

_FOLDER = "sightline-bulk"
#: What a killed process left is removed when it is this old: nobody reads it any more.
_LEFTOVER_S = 86_400
#: A server reads a file by such groups of rows, each at once.
_GROUP_BYTES = 32 << 20


def bulk_storage(settings: Settings) -> BulkStorage:
    """Return the storage that the settings name; raises SettingsError where there is none."""
    address = settings.milvus.bulk_storage
    if not address:
        raise SettingsError(
            "SIGHTLINE_MILVUS_BULK_STORAGE is not set: a bulk insert leaves files where the Milvus "
            "server reads them.",
            "Set it to s3://BUCKET/PREFIX in the server's own bucket or, for a server that keeps "
            "its data on a local disk, to a folder that both see under the same path.",
        )
    return BulkStorage(address)


def no_bulk_insert() -> UsageError:
    """Return the error that says that Milvus Lite has no bulk insert, and what has it."""
    return UsageError(
        "Milvus Lite takes rows one batch at a time; it has no bulk insert.",
        "A Milvus server offers --bulk: name one with SIGHTLINE_MILVUS_URI, or leave --bulk out.",
    )


class BulkStorage:
    """A folder, or a place in a bucket, that this process writes to and the Milvus server reads.

    Credentials for a bucket are found as its own tools find them (``AWS_ACCESS_KEY_ID``,
    ``AWS_ENDPOINT_URL`` …). Raises SettingsError for an address that cannot be used.
    """

    def __init__(self, address: str) -> None:
        self._bucket = "://" in address and not address.startswith("file://")
        if self._bucket and "@" in address.partition("://")[2].partition("/")[0]:
            raise SettingsError(
                "SIGHTLINE_MILVUS_BULK_STORAGE has credentials in its address.",
                "Name s3://BUCKET/PREFIX; they belong into the environment or ~/.aws.",
            )
        self.address = address
        # Others write to a bucket too, and credentials may change: nothing of it is remembered.
        fresh = {"use_listings_cache": False, "skip_instance_cache": True} if self._bucket else {}
        try:
            self._files, root = fsspec.url_to_fs(address, **fresh)
        except (ImportError, ValueError) as error:
            raise SettingsError(
                f"Files for a bulk insert cannot be left at {address}: {in_words(error)}.",
                "Name a folder, or s3://BUCKET/PREFIX (pip install 'sightline[s3]').",
            ) from None
        self._folder = f"{str(root).rstrip('/')}/{_FOLDER}"

    @contextmanager
    def file(self, rows: pa.Table) -> Iterator[str]:
        """Write ``rows`` to a file and yield its path as the server knows it; removed at the end.

        Raises StoreError when it cannot be written.
        """
        path = f"{self._folder}/{secrets.token_hex(8)}.parquet"
        row_bytes = max(1, rows.nbytes // max(1, rows.num_rows))
        try:
            try:
                if not self._bucket:  # a bucket has no folders; one that is missing is not made
                    self._files.makedirs(self._folder, exist_ok=True)
                with self._files.open(path, "wb") as file:
                    pq.write_table(
                        rows,
                        file,
                        row_group_size=max(1000, _GROUP_BYTES // row_bytes),
                        compression="none",  # vectors do not get smaller
                        use_dictionary=False,
                    )
            except Exception as error:  # each kind of bucket has errors of its own
                raise StoreError(
                    f"A file for the bulk insert cannot be written to {self.address}: "
                    f"{in_words(error)}.",
                    "SIGHTLINE_MILVUS_BULK_STORAGE names the place; credentials for a bucket are "
                    "taken from the environment.",
                ) from error
            # A server knows what is in its bucket by the key alone.
            yield path.partition("/")[2] if self._bucket else path
        finally:
            with suppress(Exception):  # a leftover, then
                self._files.rm_file(path)

    def remove_leftovers(self) -> None:
        """Remove the files that killed processes left a day ago or longer."""
        with suppress(Exception):
            for name, info in self._files.find(self._folder, detail=True).items():
                if time.time() - _written_s(info) > _LEFTOVER_S:
                    self._files.rm_file(name)


def _written_s(info: dict[str, Any]) -> float:
    """Return when a file was written, in seconds since the epoch; now where nobody tells."""
    written = info.get("mtime", info.get("LastModified", time.time()))
    return written.timestamp() if isinstance(written, datetime) else float(written)
