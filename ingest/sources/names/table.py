"""The table of recorders: one entry each, with the source of its names.

A form is added with the recorder's own documentation, or with names that its users report. A name
whose time is not that of the recording gets a form without one, so that nothing else reads it.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from ingest.sources.names.patterns import NamePattern

_DASHCAM: Final = MappingProxyType(
    {"F": "front", "R": "rear", "B": "rear", "I": "interior", "T": "tele", "O": "outside"}
)
_DAHUA_FOLDERS: Final = (
    r"(?:%camera/)?%F/(?:%channel/)?(?:(?:dav|mp4|jpg)/)?(?:[0-9]{2}/)?(?:[0-9]/[0-9]/[0-9]+/)?"
)
#: Six digits below a day are a time from 01:00:00 on; earlier ones may be counters (000123).
_BARE_TIME: Final = r"(?P<H>0[1-9]|1[0-9]|2[0-3])%M%S"

RECORDERS: Final[tuple[NamePattern, ...]] = (
    NamePattern(
        "Frigate",
        (r"%F/%H/%camera/%M\.%S",),
        "https://docs.frigate.video/configuration/record",
        clock="utc",
    ),
    NamePattern(
        "MediaMTX",
        (r"%camera/%F_%H-%M-%S-%f",),
        "https://github.com/bluenviron/mediamtx/blob/main/mediamtx.yml (recordPath)",
    ),
    NamePattern(
        "UniFi Protect",
        (
            r"%camera - %-m-%-d-%Y, %-I\.%M\.%S\s?%p",
            r"%camera \(?[0-9a-f]{4}\)? - %F - %H\.%M\.%S%z",
        ),
        "https://github.com/danielfernau/unifi-protect-video-downloader/issues/14",
    ),
    NamePattern(
        "Brickcom",
        (r"%Y%m%d-%H%M%S- ?%H%M%S_%camera",),
        "https://www.brickcom.com/support/faq_contents.php?id=106",
    ),
    NamePattern(
        "Canon VB",  # the second time is that of the recording which this file continues
        (r"%Y%m%d ?%H%M%S-[0-9]{6}-[EMRTU][0-9]{2}_[0-9]+",),
        "https://www.manualshelf.com/manual/canon/vb-s30d/operation-manual-english/page-151.html",
        clock="utc",
    ),
    NamePattern(
        "Uniview",
        (r"%F/%camera_S%H-%M-%SE%H-%M-%S", r"%F/S%H-%M-%SE%H-%M-%S"),
        "https://gebruikershandleiding.com/Ksenia-Network-Video-Recorder/"
        "preview-handleiding-870168.html?page=0131",
    ),
    NamePattern(
        "exacqVision",  # plug-in and number of the device, then the storage rule
        (r"%Y/%m/%d/%H/%M%S-(?P<camera>[0-9a-f]{6})[0-9a-f]{2}",),
        "https://exacq-cms.johnsoncontrols.com/tag/file-storage",
        label="device {}",
    ),
    NamePattern(
        "iCarvisions",
        (r"[A-Z]%Y%m%d-%H%M%S[PN][0-9A-F][A-Z](?P<camera>[0-9])[A-Z][0-9]",),
        "https://www.icarvisions.com/faq/mdvr-record-files-name-rules-285.html",
        label="ch{}",
    ),
    NamePattern(
        "DIGIOP",
        (r"%Y%m%d/%H%M%S(?P<camera>[0-9]{2})[A-Z]",),
        "DIGIOP Control User Manual, appendix E: File naming conventions",
        label="camera {}",
    ),
    NamePattern(
        "Panasonic HomeHawk",
        (r"(?:HH/%camera/)?%m-%d-%Y/1[AMC]%H%M%S",),
        "https://www.easymanua.ls/panasonic/homehawk-kx-hnc500/manual?p=105",
    ),
    NamePattern(
        "Havis-Shields",
        (r"(?:%camera_?)?%b\.%d\.%Y_%H\.%M\.%S[+#*]?",),
        "https://manualsdump.com/en/manuals/havis-shields-pt-video-mdvr/189973/25",
    ),
    NamePattern(
        "yi-hack",
        (r"%YY%mM%dD%HH/(?:E[0-9])?%MM%SS(?:%seconds(?:[0-9]{2})?)?",),
        "https://github.com/roleoroleo/yi-hack-Allwinner-v2/issues/924",
        clock="utc",
    ),
    NamePattern(
        "OpenIPC",
        (r"%F/%H-%M",),
        "https://github.com/OpenIPC/wiki/blob/master/en/majestic-streamer.md",
    ),
    NamePattern(
        "Hikvision",
        (
            r"(?P<camera>(?:[^/]*[_-])?ch[0-9]+)_%Y%m%d%H%M%S(?:%f)?(?:_%Y%m%d%H%M%S(?:%f)?)?",
            r"(?P<camera>[^/]*[^\W_][^/]*_[0-9]+)_%Y%m%d%H%M%S%f_[A-Z]+(?:_[A-Z]+)*",
        ),
        "https://www.forensicfocus.com/articles/"
        "when-did-it-happen-dealing-with-timestamps-in-amped-five/",
    ),
    NamePattern(
        "Dahua",
        (
            _DAHUA_FOLDERS + r"%H\.%M\.%S-%H\.%M\.%S(?:\[[^/]*)?",
            r"(?:%camera/)?%F/%channel/jpg/%H/%M/%S(?:\[[^/]*)?",
            r"%channel_%Y%m%d%H%M%S_\[[^/]*",
            r"(?P<camera>[^/]+[_-]ch[0-9]+)[_-](?:main|sub|extra)[_-]"
            r"%Y%m%d%H%M%S[_-]%Y%m%d%H%M%S",
        ),
        "https://github.com/shawnburke/amcrest-viewer",
    ),
    NamePattern(
        "Reolink",
        (
            r"%camera_[0-9]{2}_%Y%m%d%H%M%S",
            r"(?:Mp4Record_[0-9-]+_)?Rec[MS][0-9]{2}_(?:DST)?%Y%m%d_%H%M%S_%H%M%S(?:_[0-9A-F]+)*",
        ),
        "https://github.com/starkillerOG/reolink_aio/blob/main/reolink_aio/typings.py",
    ),
    NamePattern(
        "Synology Surveillance Station",
        (r"%camera[ _-]?%Y%m%d-%H%M%S-%s",),
        "names that users report; the seconds since 1970 confirm the time",
    ),
    NamePattern(
        "Blue Iris",
        (r"%camera\.%Y%m%d_%H%M%S(?:\.?%f)?", r"%Y%m%d_%H%M%S\.%camera"),
        "https://camlocus.com/docs/recording-and-clips/",
    ),
    NamePattern(
        "BlackVue",
        (r"%Y%m%d_%H%M%S_[A-Z]?(?P<camera>[FRIO])[LS]?",),
        "https://github.com/acolomba/blackvuesync",
        cameras=_DASHCAM,
    ),
    NamePattern(
        "Tesla",
        (
            r"%F_%H-%M(?:-%S)?-(?P<camera>front|back|rear|rear_view"
            r"|left_repeater|right_repeater|left_pillar|right_pillar)",
        ),
        "https://github.com/ehendrix23/tesla_dashcam",
    ),
    NamePattern(
        "Viofo",
        (r"%Y_?%m%d_?%H%M%S_[0-9]{0,6}[PE]?(?P<camera>[FRIT])",),
        "https://github.com/RobXYZ/viofosync/issues/34",
        cameras=_DASHCAM,
    ),
    NamePattern(
        "70mai",
        (r"(?:NO|EV|PA|TL|LA)%Y%m%d-%H%M%S-[0-9]{6}(?P<camera>[FBRI])?(?:_s)?",),
        "names that users report, such as NO20200127-170409-000017F.MP4",
        cameras=_DASHCAM,
    ),
    NamePattern(
        "Nextbase",
        (r"%y%m%d_%H%M%S_[0-9]{3}_(?P<camera>[FR])[HL]",),
        "https://support.nextbase.com/hc/en-nz/articles/21362518328349-File-Names",
        cameras=_DASHCAM,
    ),
    NamePattern(
        "Blink",
        (r"(?:%camera_)?%FT%H_%M_%S%z",),
        "https://github.com/lurume84/bling-desktop/issues/47",
    ),
    NamePattern(
        "Bluecherry",
        (r"%Y/%m/%d/(?P<camera>[0-9]{6})/%H-%M-%S",),
        "https://github.com/bluecherrydvr/bluecherry-apps/issues/632",
        label="camera {}",
    ),
    NamePattern(
        "motionEye",
        (r"%F/%H-%M-%S",),
        "https://github.com/motioneye-project/motioneye/issues/2060",
    ),
    NamePattern(
        "ZoneMinder",  # the name says the day alone
        (r"events/(?P<camera>[0-9]+)/%F/[0-9]+/(?:[0-9]+-video|[0-9]+-capture)",),
        "https://zoneminder.readthedocs.io/en/latest/userguide/options/options_storage.html",
        label="monitor {}",
    ),
    NamePattern(
        "Xiaomi",
        (r"%Y%m%d%H/%MM%SS_%s",),
        "https://github.com/samtap/fang-hacks/issues/35",
    ),
    NamePattern(
        "Wyze",
        (r"record/%Y%m%d/%H/%M",),
        "https://github.com/HclX/WyzeHacks",
    ),
    NamePattern(
        "Aqara",
        (rf"%Y%m%d/{_BARE_TIME}",),
        "https://github.com/TheScubaDiver/camera-gallery-card/issues/11",
    ),
    NamePattern(
        "folders of days",
        (
            r"%Y/%m/%d/%H[-_./]%M[-_./]%S",
            r"%F/%H[_.]%M[_.]%S",
            rf"%F/{_BARE_TIME}",
            rf"%Y/%m/%d/{_BARE_TIME}",
        ),
        "https://github.com/open-nvr/open-nvr/pull/225",
    ),
)

PHONES: Final[tuple[NamePattern, ...]] = (
    NamePattern(
        "Google Pixel",
        (r"PXL_%Y%m%d_%H%M%S%f(?:[.~_-][^/]*)?",),
        "names that users report; they are in UTC",
        clock="utc",
    ),
    NamePattern(
        "Android",
        (
            r"(?:IMG|VID|MVIMG|PANO|Screenshot|Screenrecorder)[_-]?%Y%m%d[_-]?%H%M%S(?:[_-]?%f)?"
            r"(?:[_~-][^/]*)?",
        ),
        "https://github.com/ente-io/ente/blob/main/web/packages/gallery/services/upload/date.ts",
    ),
    NamePattern(
        "WhatsApp",  # the time, with -WA the day, of the message
        (
            r"(?:IMG|VID)-%Y%m%d-WA[0-9]+",
            r"WhatsApp (?:Image|Video) %F at %-H\.%M\.%S(?:\s?%p)?",
        ),
        "https://github.com/tomvdholst/whatsapp-timestamp-fixer",
    ),
    NamePattern(
        "Signal",  # the time of the message
        (r"signal-%F-%H-?%M-?%S(?:-%f)?",),
        "https://github.com/ente-io/ente/blob/main/web/packages/gallery/services/upload/date.ts",
    ),
    NamePattern(
        "Telegram",  # its time is that of the download, so no time is read
        (r"(?:photo|video|doc)_[0-9]{4}-[0-9]{2}-[0-9]{2}_[0-9]{2}-[0-9]{2}-[0-9]{2}",),
        "https://github.com/telegramdesktop/tdesktop/issues/1586",
    ),
    NamePattern(
        "macOS",
        (r"Screen ?(?:shot|recording) %F at %-H\.%M\.%S(?:\s?%p)?",),
        "https://support.apple.com/102646",
    ),
)

PATTERNS: Final[tuple[NamePattern, ...]] = RECORDERS + PHONES
