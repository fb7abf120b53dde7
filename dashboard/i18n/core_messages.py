"""The messages of search_core and ingest that the dashboard translates; see core_words.

Each is as it stands in their code, with a name in the place of each value.
"""

from __future__ import annotations

from dashboard.i18n.camera_messages import CAMERA_MESSAGES
from dashboard.i18n.gettext import N_
from search_core.indexes import INDEX_SPECS

#: Titles, legends and tooltips of the lab's charts.
CHART_WORDS = (
    N_("median latency of one query, ms (log)"),
    N_("median latency, ms (log)"),
    N_("median of a request, ms (log)"),
    N_("p95 latency of one query, ms (log)"),
    N_("queries in a request, nq (log)"),
    N_("queries answered a second"),
    N_("queries a second"),
    N_("clients that ask at once (log)"),
    N_("clients"),
    N_("rows the filter leaves (log)"),
    N_("rows it leaves"),
    N_("recall@{k} (stretched towards 1)"),
    N_("wanted: {target}"),
    N_("recall wanted: {target}"),
    N_("on the Pareto front"),
    N_("not on it"),
    N_("advice"),
    N_("95 % interval"),
    N_("lowest measured"),
    N_("setting in the table"),
    N_("highest measured"),
    N_("≈ estimated by formula"),
    N_("index"),
    N_("built with"),
    N_("searched with"),
    N_("queries"),
    N_("95 % interval from"),
    N_("95 % interval to"),
    N_("ms a query"),
    N_("seconds"),
    N_("build"),
    N_("load"),
    N_("memory"),
    N_("disk"),
    N_("takes"),
    N_("known by"),
    N_("did"),
    N_("pictures"),
    N_("sentences"),
    N_("recorded pictures"),
    N_("recorded sentences"),
    N_("as set"),
    N_("filter-aware"),
)

_LAB = (
    N_("Pictures"),
    N_("Sentences"),
    N_("Recorded pictures"),
    N_("Recorded sentences"),
    N_("Recall against latency"),
    N_(
        "Up and to the left is better. Filled points on the broad line are the Pareto front: "
        "nothing measured is both faster and finds as much. Thin rules are 95 % intervals{ring}"
    ),
    N_("; the ring is the advice."),
    N_("Recall against the search parameter"),
    N_("What nprobe, ef and their like buy, without a filter."),
    N_("Under filters"),
    N_(
        "What is found, and in what time, the fewer rows a filter leaves; each index at its "
        "setting in the table. Filter-aware search looks into more of the index, or searches "
        "exactly what the filter leaves."
    ),
    N_("Latency against queries in a request"),
    N_(
        "Many queries sent in one request take less time each. Of each index the lowest and the "
        "highest setting are drawn, and its setting in the table."
    ),
    N_("Many clients at once"),
    N_(
        "One query a request; clients are threads of one process. Each index is at its setting in "
        "the table."
    ),
    N_("Queries a second"),
    N_("Latency"),
    N_("Building, loading and keeping"),
    N_(
        "Seconds to build the index and to load it; what it takes in memory and on disk. "
        "Outlined bars with ≈ are estimates by formula, others are measured."
    ),
    N_("Time to build"),
    N_("Memory and disk"),
    N_("No sentences were asked, pictures only."),
    N_("Queries: {queries}."),
    N_("{count} pictures of the library, held out of the index"),
    N_("{count} pictures of the library, disturbed"),
    N_("{count} sentences about such footage"),
    N_("{count} recorded sentences"),
    N_("{count} recorded pictures"),
    N_(
        "Measured on {count} of the library's {all} vectors, by chance: "
        "over all of them searches take longer and find less."
    ),
    N_("reading vectors"),
    N_("finding the exact neighbours"),
    N_("copying vectors"),
    N_("building {index}"),
    N_("finding neighbours"),
    N_("timing"),
    N_("timing {count} queries a request"),
    N_("timing {count} clients"),
)
_EFFORT = (  # the more particular first
    N_(
        "{share} % of the library passes the filter: {name} raised from {start} to {raised}, "
        "all clusters and so exact."
    ),
    N_(
        "{share} % of the library passes the filter: {name} raised from {start} to {raised}, "
        "all clusters."
    ),
    N_("{share} % of the library passes the filter: {name} raised from {start} to {raised}."),
    N_("1 picture passes the filter: compared exactly, without the index."),
    N_("{count} pictures pass the filter: compared exactly, without the index."),
)
_ADVICE = (
    N_("recommended"),
    N_("fits"),
    N_("slow"),
    N_("finds too little"),
    N_("too large"),
    N_("not offered"),
    N_("too large for this memory"),
    N_("not offered: {milvus} has it"),
    N_("finds too little: it is not exact"),
    N_("finds too little: {recall} at the most"),
    N_("slow: exact, in some {seconds} s a search on two cores"),
    N_("slow: some {seconds} s a search on two cores"),
    *(spec.why for spec in INDEX_SPECS.values()),
)
_JOBS = (
    N_("queued"),
    N_("running"),
    N_("done"),
    N_("failed"),
    N_("cancelled"),
    N_("skipped"),
    N_("copying, {share}"),
    N_("building, {share}"),
    N_("comparing, {share}"),
    N_("switching, {share}"),
    N_("{index} answers now"),
    N_("interrupted; it goes on at the next start"),
    N_("cancelled; what was done is kept: {what}"),
    N_("{done} done, {skipped} skipped, {failed} failed, {keyframes} keyframes"),
    N_("{what}, {count} frames left out"),
    N_("{what}, {count} earlier keyframes removed"),
    N_("None of them gave numbers; none can be advised."),
)
_ERRORS = (
    N_("There is no library {name} here."),
    N_("There is a library {name} already."),
    N_("Choose another name."),
    N_("{name} cannot name a library."),
    N_("Use letters, digits and underscores, not starting with a digit, at most 128."),
    N_("The library {name} has no entity {id}."),
    N_("The library {name} was rebuilt while it was being read."),
    N_("The library {name} is being switched to another encoder."),
    N_("The library {name} is being rebuilt by another command."),
    N_("The library {name} is being rebuilt."),
    N_("Try again."),
    N_("Try again when that is done."),
    N_("Wait for it to end, then try again."),
    N_("The library {name} holds vectors of {encoder}; the encoder in use is {other}."),
    N_("Choose that encoder with --model {model}, or another library with --library."),
    N_("The encoder {name} {what}: {reason}."),
    N_("could not be loaded"),
    N_("the model hub cannot be reached"),
    N_("Milvus at {uri} cannot be reached: {reason}."),
    N_("Milvus is not ready yet ({doing}): {reason}."),
    N_("The library {name} is not ready yet ({doing}), after {seconds} s: {reason}."),
    N_("Milvus refuses the user name or the password ({doing})."),
    N_("The user of Milvus lacks a privilege ({doing}): {reason}."),
    N_("Milvus limits how often this may be done ({doing}): {reason}."),
    N_("Milvus refuses to go on ({doing}): {reason}."),
    N_("Milvus has too little memory ({doing}): {reason}."),
    N_("The disk that Milvus keeps its rows on is full ({doing})."),
    N_("It is starting, loading or recovering; try again in a moment."),
    N_("Milvus is loading or recovering it; try again in a moment."),
    N_("Set SIGHTLINE_MILVUS_TOKEN to USER:PASSWORD."),
    N_("docs/milvus.md lists the privileges that Sightline needs; an administrator grants them."),
    N_("Give Milvus more memory, or use an index that needs less: `sightline index advise`."),
    N_("Milvus cannot be reached while {doing}: {reason}."),
    N_("Milvus failed while {doing}: {reason}."),
    N_("Check SIGHTLINE_MILVUS_URI, or unset it to use the embedded Milvus Lite."),
    N_(
        "Check that Milvus runs and that SIGHTLINE_MILVUS_URI names it; "
        "`sightline doctor` tries the connection."
    ),
    N_("`sightline doctor` shows the state of Milvus."),
    N_("The library {name} is damaged: {path} ({what}) {reason}."),
    N_("The embedded Milvus is damaged: {path} ({what}) {reason}."),
    N_(
        "`sightline verify --repair` restores it, and keeps the damaged files; "
        "stop `sightline serve` first."
    ),
    N_("list of libraries"),
    N_("list of properties"),
    N_("collection's folder"),
    N_("collection's description"),
    N_("list of vector files"),
    N_("vector file"),
    N_("list of deleted keyframes"),
    N_("index file"),
    N_("is missing"),
    N_("is empty"),
    N_("is cut"),
    N_("is overwritten"),
    N_("is overwritten in part"),
    N_("is cut or overwritten"),
    N_("holds nothing but zeros"),
    N_("lacks a library"),
    N_("its keyframes were lost with the library; it can be ingested again"),
    N_("{path} is damaged: it is cut or overwritten."),
    N_(
        "`sightline verify --repair` restores the ledger; any other file of this kind can be moved "
        "away, and is made anew."
    ),
    N_("{path} cannot be written by this user."),
    N_("Change its permissions, or choose another data directory with --data-dir."),
    N_("Another Sightline command is using {uri}."),
    N_("Wait for it to end, or run `sightline serve`, which several commands can share."),
    N_("No space is left on the disk of {place}."),
    N_("Less than {size} MiB are free on the disk of {place}."),
    N_("Free some space, then run the same command again: it goes on from there."),
    N_("{path} cannot be used: {error}."),
    N_("The name pattern {pattern} ({origin}) cannot be used: {error}"),
    N_("Check the disk it is on, and who may write to it."),
    N_("The audit log {path} cannot be used: {error}."),
    N_("Nothing is done that it could not hold. Look at the disk's space and permissions."),
    N_("nprobe {nprobe} is more than the {nlist} clusters (nlist) of this index."),
    N_("Use --nprobe from 1 to {nlist}."),
    N_("{name} {value} is less than the {k} hits asked for."),
    N_("The library {name} has {count} vectors, too few to compare indexes."),
    N_("Ingest more images or footage first, or ask for fewer neighbours."),
    N_("There is nothing to search for."),
    N_("Give a sentence, a picture or an entity's id."),
    N_("Hours of the day can be looked for within {days} days at most."),
    N_("Say from when and until when."),
    N_("An entity can have {most} tags, not {count}."),
    N_("The tag {tag} … is too long."),
    N_("Use a shorter one."),
    N_("Remove some."),
    N_("That is in the trash no more."),
    N_("It was put back or purged."),
    N_("It is in the library {name} already."),
    N_("Choose another library."),
    N_(
        "An earlier correction of the library {name} was stopped after {done} of {total} keyframes."
    ),
    N_("Finish it first: `sightline library retime --resume`."),
    N_("No correction of the library {name} was stopped midway."),
    N_("Another command is correcting times or cameras."),
    N_("{text} is not a clock offset."),
    N_("Write what to add to the clock's times: +1h, -2m30s, +1d, or -00:02:30."),
    N_("A shift of 0 changes nothing."),
    N_("Give a time such as +1h or -90s."),
    N_("{count} recordings of several cameras cannot start one after another."),
    N_("Give --camera or --source and set one camera's at a time, or use --shift."),
    N_(
        "{count} of {total} recordings have no length, so it is not known when the next one starts."
    ),
    N_("Set one at a time with --source, or use --shift to move them all alike."),
    N_("{path} would be outside of the years 1 to 9999."),
    N_("Give another time or a smaller shift."),
    N_("The camera's name {name} … is too long."),
    N_("Use at most {most} bytes."),
    N_("This name and this password do not belong together."),
    N_("Too many attempts. Try again in {time}."),
    N_("{count} seconds"),
    N_("{count} minutes"),
    N_("If you forgot the password, ask an administrator for another."),
    N_("It takes the role {role}."),
    N_("{doing} is not for a {role}."),
    N_("{doing} is for those who may see all cameras."),
    N_("Some of these pictures are of a camera that you may not see."),
    N_("The job queue's Redis does not answer: {error}."),
    N_("Look at SIGHTLINE_QUEUE, and whether that server runs."),
)
_FILES = (
    N_("already in the library"),
    N_("already in the library; corrected as given"),
    N_("already in the library; its camera, time and tags stay as they are"),
    N_("has a time that somebody gave"),
    N_("was captured live, by this machine's clock"),
    N_("is not there any more"),
    N_("has other content now"),
    N_("is not on this machine; `sightline library retime --re-read` fetches it"),
    N_("is empty"),
    N_("does not exist"),
    N_("cannot be listed: {error}"),
    N_("is a symbolic link that leads to itself"),
    N_("is a symbolic link that leads out of the folder"),
    N_("is a symbolic link to a file that does not exist"),
    N_("is a symbolic link that cannot be followed: {error}"),
    N_("may not be read: permission denied"),
    N_("cannot be read: {error}"),
    N_("is not an image that can be read, or its header is damaged"),
    N_("is not an image or a video that can be read, or its beginning is missing"),
    N_("is damaged: it has no pixels"),
    N_("is damaged: no frame could be decoded there"),
    N_("is damaged and cannot be opened as a video ({error})"),
    N_(
        "is damaged: its index (the moov atom) is missing; it was cut short, or its recording "
        "never finished"
    ),
    N_("is an archive, not an image or a video"),
    N_("is an SVG drawing, which has no pixels"),
    N_("has {width} x {height} pixels, more than the limit of {most} (SIGHTLINE_MEDIA_MAX_PIXELS)"),
    N_("needs more memory to decode than there is"),
    N_("needs more memory to open than there is"),
    N_("is encrypted"),
    N_("still being written; try again in a minute"),
    N_("still being written: its end is missing; try again when it is whole"),
    N_("is encrypted: it can be read only after it was decrypted"),
    N_("is {name}, a format that cannot be read"),
    N_("is a RAW photograph that cannot be read: it holds no preview"),
    N_("has no video stream, only audio"),
    N_("has no video stream"),
    N_("has video in a coding that cannot be decoded"),
    N_("cannot be decoded: {error}"),
    N_("has a name that leads out of the archive"),
    N_("would unpack to {count} times its size, as zip bombs do"),
    N_("was changed while it was read; run again when it is complete"),
    N_("has the content of {name}"),
    N_("{reason}; its first {count} keyframes are kept"),
    N_("has times that disagree: {what}, which is used, and {reason}"),
    N_("{moment} UTC as given"),
    N_("{moment} UTC by its metadata"),
    N_("{moment} UTC by its EXIF"),
    N_("{moment} UTC by its XMP"),
    N_("{moment} UTC by its IPTC"),
    N_("{moment} UTC by its GPS"),
    N_("{moment} UTC by its name"),
    N_(
        "has a name that can be read as {times}; say which with --name-pattern, such as "
        "%d-%m-%Y_%H-%M-%S, or --started-at"
    ),
)
#: Why a start that is given for several recordings is refused.
_STARTS = (
    N_("--started-at is given for {count} files, and when each began is not known: {what}."),
    N_("{path} is a photograph, which has no length"),
    N_("{path} does not say how long it is"),
    N_("{path} is in an archive or elsewhere, so its length is not known yet"),
    N_(
        "Give --started-at to one recording at a time, or leave it out: then each file's own time "
        "is used, from its metadata or its name."
    ),
    N_(
        "--started-at is given for {count} files of several cameras, {first} and {second} among "
        "them."
    ),
    N_("Give it for one camera at a time, or say with --camera that all are of one."),
    N_(
        "--started-at is given for {count} files that do not follow one another: by its own time "
        "{after} began {length} after the end of {before}."
    ),
    N_(
        "--started-at is given for {count} files that do not follow one another: by its own time "
        "{after} began {length} before the end of {before}."
    ),
    N_(
        "To keep the distances that their own times have, leave --started-at out and correct the "
        "clock instead: --clock-offset {offset}."
    ),
    N_("{moment} lies before {year}, the year of the first photograph."),
    N_("{moment} lies in the future: no recording began then."),
    N_("Give the moment at which the recording began, such as 2026-11-20T14:30."),
)
#: Notes on files that were taken in; several are joined by "; ".
_NOTES = (
    N_("stopped at {reached} s of {length} s: {reason}"),
    N_("stopped at {reached} s: {reason}"),
    N_("the file ends early"),
    N_("what follows is encrypted"),
    N_("is cut short: the end of the picture is missing"),
    N_("is a RAW photograph: only its preview of {width} x {height} pixels was read"),
    N_("is a motion photo: its video is left out"),
    N_("holds {count} pictures: only the first is taken"),
    N_("has no timestamps: positions assume {rate} frames a second"),
    N_("has timestamps that jump at {position}: positions count on from there"),
    N_(
        "has timestamps that jump {count} times, first at {position}: positions count on from there"
    ),
    N_("is followed by another recording in the same file, at byte {byte}, which is not read"),
    N_(
        "keeps its camera and time in the library, which are not those of the file: `sightline "
        "library retime --re-read` and `sightline library recamera --re-read` read them again"
    ),
    N_("video track {number} has a coding that cannot be decoded"),
    N_("video track {number} {reason}"),
    N_("{what}; {reason}"),
)
#: Kept with what was deleted.
_DELETED = (
    N_("chosen by hand"),
    N_("all of {library}"),
)
#: What groups on the map look like.
_LOOKS = (
    N_("several cameras"),
    N_("no name"),
    N_("a person"),
    N_("a crowd"),
    N_("a child"),
    N_("a bicycle"),
    N_("a motorcycle"),
    N_("a car"),
    N_("a van"),
    N_("a truck"),
    N_("a bus"),
    N_("a train"),
    N_("a dog"),
    N_("a cat"),
    N_("a bird"),
    N_("an umbrella"),
    N_("a bag"),
    N_("a parcel"),
    N_("an empty street"),
    N_("a crossing"),
    N_("a car park"),
    N_("a loading dock"),
    N_("a gate"),
    N_("a shop"),
    N_("an office"),
    N_("a corridor"),
    N_("a kitchen"),
    N_("a building"),
    N_("a garden"),
    N_("trees"),
    N_("a river"),
    N_("the sea"),
    N_("mountains"),
    N_("night"),
    N_("bright daylight"),
    N_("rain"),
    N_("snow"),
    N_("fog"),
    N_("text"),
    N_("food"),
    N_("a drawing"),
    N_("a blank picture"),
)
MESSAGES = (
    *_DELETED,
    *_LOOKS,
    *_ERRORS,
    *_LAB,
    *_EFFORT,
    *_ADVICE,
    *_JOBS,
    *_FILES,
    *_STARTS,
    *CAMERA_MESSAGES,
    *_NOTES,  # the last, as the most general
)
