"""Messages about cameras and watched folders that the dashboard translates; see core_messages."""

from __future__ import annotations

from dashboard.i18n.gettext import N_

#: Why a camera cannot be what was asked for.
_REFUSED = (
    N_("That is no camera's address."),
    N_(
        "It looks like rtsp://user:password@host:554/path; / ? # and @ in a password are "
        "written %2F %3F %23 and %40."
    ),
    N_("The password is nobody's."),
    N_("Give the user name as well."),
    N_("The camera has no name."),
    N_("Give it one, such as gate-3."),
    N_("{name} cannot name a camera."),
    N_("Use printable characters, at most {most} bytes."),
    N_("There is a camera {name} already."),
    N_("Choose another name."),
    N_("The camera {name} is in sightline.toml."),
    N_("Change it there; `sightline serve` reads that file when it starts."),
    N_("No camera {name} was added here."),
    N_("`sightline cameras` names those there are."),
    N_("The cameras in {path} cannot be read: {error}."),
    N_("Mend the file, or put it back from a backup; without it, add them again."),
    N_("The cameras in {path} cannot be changed: {error}."),
    N_("Look at the disk's space and at who owns the data directory."),
    N_("{text} is no duration."),
    N_("Write a number and a unit: 45s, 90m, 12h, 30d or 2w, up to a hundred years."),
    N_("Other streams are being tested now."),
    N_("Try again in some seconds."),
    N_("The library {name} holds vectors of {label}; the encoder in use is {other}."),
    N_("Choose that encoder with --model {model}, or another library with --library."),
)
#: What becomes of one.
_BECAME = (
    N_("live"),
    N_("lost"),
    N_("connecting"),
    N_("stopped"),
    N_("paused"),
    N_("was not watched"),
    N_("is watched by another process already"),
    N_("cannot be watched: {reason}"),
    N_("does not answer within {time} s"),
    N_("ended the stream"),
    N_("sends no video"),
    N_("sends what is no video stream"),
    N_("refuses the name or the password"),
    N_("refuses the connection"),
    N_("refuses the request"),
    N_("has no stream of that path"),
    N_("broke the connection"),
    N_("cannot be reached"),
    N_("sent no picture for {time} s"),
)
#: What becomes of a watched folder, and why it cannot be one.
_FOLDERS = (
    N_("starting"),
    N_("watching"),
    N_("The folder has no name."),
    N_("Give it one, such as nvr."),
    N_("There is a folder {name} already."),
    N_("The folder {path} is watched as {name} already."),
    N_("Change that one, or choose another folder."),
    N_("The folder {name} is in sightline.toml."),
    N_("No folder {name} was added here."),
    N_("`sightline folders` names those there are."),
    N_("The folders in {path} cannot be read: {error}."),
    N_("The folders in {path} cannot be changed: {error}."),
    N_("There is no folder {path} on the server."),
    N_("Look at how it is spelled, and whether its volume is mounted."),
    N_("{path} is not a folder."),
    N_("Give the folder that the recorder writes to."),
    N_("The folder {path} cannot be read."),
    N_("Let the user that runs Sightline read it, and what is in it."),
    N_("{name} cannot name a folder."),
    N_("Use printable characters."),
    N_("The folder {path} is inside Sightline's data directory."),
    N_("Watch a folder that a recorder writes to; --data-dir chooses another data directory."),
    N_("The folders {name} and {other} are the same: {path}."),
    N_("Leave one of them out of sightline.toml."),
    N_("is not a folder"),
    N_("cannot be listed: {error}"),
    N_("is empty, though it held files: is its volume mounted?"),
    N_("does not answer"),
    N_("cannot be taken in: {reason}"),
    N_("cannot be watched: see the log"),
)
CAMERA_MESSAGES = (*_REFUSED, *_BECAME, *_FOLDERS)
