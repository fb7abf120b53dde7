"""GuardedJobs: the queue of jobs as one person may use it."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dashboard.auth.server_files import allowed_address, allowed_path
from dashboard.i18n.gettext import _
from ingest.jobs.client import Jobs
from ingest.jobs.requests import (
    CompareRequest,
    IndexRequest,
    IngestRequest,
    ReembedRequest,
    Request,
)
from ingest.jobs.table import Job
from ingest.ledger import Ledger, LedgerRow
from ingest.options import EVERYTHING_USUAL, IngestOptions
from ingest.sources.discovery import file_of
from ingest.sources.media_locator import present
from ingest.sources.remote.addresses import without_secrets
from search_core.access.audit_log import AuditLog
from search_core.access.roles import Access, Right
from search_core.errors import NotAllowed
from search_core.schema.entity import is_address
from search_core.settings import Settings

_RIGHTS: dict[str, Right] = {
    IngestRequest.kind: "ingest",
    IndexRequest.kind: "index",
    CompareRequest.kind: "index",
    ReembedRequest.kind: "index",
}
_NAMED_PATHS = 20


class GuardedJobs:
    """The jobs that ``access`` may ask for, see and stop; what is asked goes into the audit log.

    What is ingested was uploaded, or the settings allow the place where it is: see server_files.
    Who may not see all cameras sees the ingests of their own, and ingests what was uploaded only:
    any other file could be another camera's.
    """

    def __init__(
        self,
        jobs: Jobs,
        access: Access,
        audit: AuditLog,
        settings: Settings,
        asked_from: str = "",
    ) -> None:
        self._jobs = jobs
        self._access = access
        self._audit = audit
        self._settings = settings
        self._asked_from = asked_from

    def submit(self, request: Request) -> str:
        """Queue a job; return its id. Raises NotAllowed."""
        if isinstance(request, IngestRequest):
            paths = self._checked(request.library, request.paths, request.options.camera)
            request = replace(request, paths=paths)
        else:
            self._access.require(_RIGHTS.get(request.kind, "users"), "working on an index")
            self._record(request.title, f"asked for: {request.kind}")
        return self._jobs.submit(request)

    def submit_ingest(
        self,
        paths: Sequence[str],
        library: str,
        options: IngestOptions = EVERYTHING_USUAL,
        *,
        correct_known: bool = False,
    ) -> str:
        """Queue an ingest; return the job's id. Raises NotAllowed, UsageError.

        ``correct_known`` has no effect for one who may not see all cameras: what is there already
        may be of a camera that they may not see.
        """
        allowed = self._checked(library, paths, options.camera)
        return self._jobs.submit_ingest(
            allowed,
            library,
            options,
            correct_known=correct_known and self._access.cameras is None,
        )

    def ingest_again(self, library: str, most: int) -> int:
        """Queue the sources of a library that failed, wherever they are; return how many.

        Of an archive's members, the archive; each with the options of the ingest it failed in.
        Raises NotAllowed.
        """
        self._access.require("ingest", "trying files again")
        self._access.require_all_cameras("trying files again")
        with Ledger(self._settings.ledger_path) as ledger:
            failed = present(self._settings, ledger, ledger.outcomes(library, "failed"))[:most]
        files: dict[IngestOptions, list[str]] = {}
        for row in failed:
            file = file_of(row.uri)
            camera = "uploads" if self._is_upload(file) else None
            options = IngestOptions(camera=camera, alone=False)
            if row.options:
                options = IngestOptions.from_text(row.options)
            files.setdefault(options, []).append(file)
        for options, paths in files.items():
            unique = list(dict.fromkeys(paths))
            self._record_ingest(library, unique, options.camera)
            request = IngestRequest(tuple(unique), library, options)
            self._jobs.submit(request)
        return len(failed)

    def results_so_far(self, job: Job, most: int) -> list[LedgerRow]:
        """Return the outcomes of files of an ingest that runs: failed, skipped, then done ones.

        At most ``most``, of each kind the newest first. What is in the library already is not
        among them: the ledger knows of it from before.
        """
        if not self._sees(job) or job.started_ms is None:
            return []
        library, below = str(job.request["library"]), _place_of(job.request["paths"])
        found: list[LedgerRow] = []
        with Ledger(self._settings.ledger_path) as ledger:
            for status in ("failed", "skipped", "done"):
                found += ledger.lately(library, status, job.started_ms, below, most - len(found))
        return found

    def list(self, limit: int = 50) -> list[Job]:
        """Return those of the latest jobs that may be seen, newest first."""
        if not self._access.may("ingest"):
            return []
        return [job for job in self._jobs.list(limit) if self._sees(job)]

    def get(self, job_id: str) -> Job | None:
        """Return one job, or None when there is none of that id to be seen."""
        job = self._jobs.get(job_id)
        return job if job is not None and self._sees(job) else None

    def cancel(self, job_id: str) -> bool:
        """Cancel a job. False when it was over already; raises NotAllowed."""
        self._require(job_id, "cancelled")
        return self._jobs.cancel(job_id)

    def retry(self, job_id: str) -> bool:
        """Queue a job again. False when it did not fail; raises NotAllowed."""
        self._require(job_id, "tried again")
        return self._jobs.retry(job_id)

    def _checked(self, library: str, paths: Sequence[str], camera: str | None) -> tuple[str, ...]:
        """Return what is to be ingested as it may be; raises NotAllowed, UsageError."""
        self._access.require("ingest", "adding footage")
        if self._access.cameras is not None:
            if camera is None or not self._access.sees(camera):
                raise NotAllowed(
                    _("Footage of the camera {name} is not yours to add.").format(
                        name=camera or _("with no name")
                    ),
                    _("Yours are: {names}.").format(
                        names=", ".join(self._access.cameras) or _("none")
                    ),
                )
            if not all(self._is_upload(path) for path in paths):
                raise NotAllowed(_("Only uploaded files are yours to add."), _("Upload them here."))
        allowed = tuple(map(self._allowed, paths))
        self._record_ingest(library, allowed, camera)
        return allowed

    def _allowed(self, path: str) -> str:
        if is_address(path):
            return allowed_address(path, self._settings)
        return path if self._is_upload(path) else allowed_path(path, self._settings)

    def _record_ingest(self, library: str, paths: Sequence[str], camera: str | None) -> None:
        named = [without_secrets(path) if is_address(path) else path for path in paths]
        detail = {"files": len(paths), "paths": named[:_NAMED_PATHS], "camera": camera}
        self._audit.record(self._access.name, "ingest", library, detail, self._asked_from)

    def _is_upload(self, path: str) -> bool:
        return Path(path).resolve().is_relative_to(self._settings.uploads_dir.resolve())

    def _sees(self, job: Job) -> bool:
        if not self._access.may("ingest"):
            return False
        if self._access.cameras is None:
            return True
        camera = job.request.get("camera") if job.kind == IngestRequest.kind else None
        return camera is not None and self._access.sees(camera)

    def _require(self, job_id: str, what: str) -> None:
        job = self.get(job_id)
        if job is None:
            raise NotAllowed(_("There is no such job of yours."))
        self._access.require(_RIGHTS.get(job.kind, "users"), "changing this job")
        self._record(job.title, what)

    def _record(self, title: str, what: str) -> None:
        detail = {"job": title, "what": what}
        self._audit.record(self._access.name, "job", "", detail, self._asked_from)


def _place_of(paths: Sequence[str]) -> str:
    """Return what all paths are below of, "" where that is nowhere in particular."""
    if len(paths) != 1:
        return "" if any(map(is_address, paths)) else os.path.commonpath(paths)
    [path] = paths
    while glob.has_magic(path):
        path = path.rpartition("/")[0]
    return path.rstrip("/")
