"""A child of `sightline serve` that does not outlive it.

``python -m sightline.cli.serve.child PID SIGNAL COMMAND`` is started by process PID in place of
COMMAND.

It asks the kernel (Linux) for ``SIGNAL`` when its parent dies, however that dies, and then becomes
the command. A launcher does this rather than code between fork and exec, which is not safe in a
process with threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent's life and become the command."""
    parent, number, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    # A shell starts background commands deaf to Ctrl-C; the children end by these signals.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)  # it died before it could be watched
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
