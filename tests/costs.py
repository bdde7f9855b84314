"""What a run of Python costs."""

from __future__ import annotations

import os
import subprocess
import sys


def cost_s(*arguments: str) -> float:
    """The processor time of one run of Python with these arguments, its modules compiled before."""
    with subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.DEVNULL,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": ""},
    ) as process:
        _pid, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_utime + used.ru_stime
