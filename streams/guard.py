"""No server outlives the process that started it, even if that one is killed with SIGKILL.

A shell of a few hundred kilobytes waits on a pipe that only we hold open. When we end, however we end,
the kernel closes our end, and the shell kills the server. Works on Linux and macOS alike, and unlike
PR_SET_PDEATHSIG does not fire when merely the thread that called `start` ends.
"""

import subprocess

_DONE = b"done\n"
_SCRIPT = 'IFS= read -r word; [ "$word" = done ] || kill -s KILL -- "-$1"'


class Guard:
    """Watches over one process group until it is released."""

    def __init__(self, process_group: int) -> None:
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT, "guard", str(process_group)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # else Ctrl-C in a terminal would end the guard first
        )

    def release(self) -> None:
        """The server has ended: stand down. Nothing happens if the guard itself was killed."""
        self._shell.communicate(_DONE)
