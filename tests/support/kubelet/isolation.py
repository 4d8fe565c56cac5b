"""The child's side of a container: becomes PID 1 of namespaces of its own, loses all rights, and runs the program.

Started by `container`, with the file of a plan as its argument; needs the standard library alone. It stays outside,
hands SIGTERM on, and ends as the program does, with 128 more than the signal that ended it, as a container runtime says
it. Where the plan says that nothing can be isolated, it only becomes the program.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final, NoReturn

# From the kernel's sched.h, mount.h, prctl.h and capability.h.
NEW_NAMESPACES: Final = 0x00020000 | 0x04000000 | 0x08000000 | 0x20000000  # mounts, host name, IPC, PIDs
READ_ONLY, NO_SETUID, REMOUNT, BIND, MOVE, RECURSIVE, PRIVATE = 1, 2, 32, 4096, 8192, 16384, 1 << 18
DIE_WITH_PARENT, DROP_CAPABILITY, NO_NEW_PRIVILEGES = 1, 24, 38
CAPABILITIES: Final = range(64)
CAPABILITY_VERSION: Final = 0x20080522
SEEN: Final = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
"""Signals that the outside waits for."""

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> None:
    """A function of the C library. Raises `OSError`."""
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _mount(source: str, target: Path, kind: str, flags: int, options: str = "") -> None:
    words = [word.encode() for word in (source, str(target), kind)]
    _call("mount", *words, ctypes.c_ulong(flags), options.encode() or None)


def _bind(source: Path, target: Path, *, read_only: bool) -> None:
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    _mount(str(source), target, "", BIND)
    _mount("", target, "", BIND | REMOUNT | NO_SETUID | (READ_ONLY if read_only else 0))


def _enter_root(plan: dict[str, Any]) -> None:
    """Of this machine only what the plan names is left, and nobody can write but to the pod's mounts."""
    root = Path(plan["root"])
    _mount("", Path("/"), "", RECURSIVE | PRIVATE)
    _mount("tmpfs", root, "tmpfs", 0, "mode=755")
    for target, text in plan["links"].items():
        (root / target).symlink_to(text)
    for name in plan["shared"]:
        _bind(Path(name), root / name.lstrip("/"), read_only=True)
    for source, target, read_only in plan["mounts"]:
        _bind(Path(source), root / target.lstrip("/"), read_only=read_only)
    (root / "proc").mkdir()
    _mount("proc", root / "proc", "proc", 0)
    (root / "tmp").mkdir(exist_ok=True)
    if plan["read_only"]:
        _mount("", root, "", BIND | REMOUNT | READ_ONLY)
    os.chdir(root)
    _mount(str(root), Path("/"), "", MOVE)
    os.chroot(".")


def _lose_rights(user: int, group: int, groups: list[int]) -> None:
    os.setgroups(groups)
    os.setresgid(group, group, group)
    for number in CAPABILITIES:
        _libc.prctl(DROP_CAPABILITY, number, 0, 0, 0)  # fails for those that this kernel does not know
    os.setresuid(user, user, user)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    _call("capset", header, (ctypes.c_uint32 * 6)())
    _call("prctl", NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def _inside(plan: dict[str, Any]) -> NoReturn:
    if plan["group_of_limits"]:
        Path(plan["group_of_limits"], "cgroup.procs").write_text("0")
    _call("sethostname", plan["hostname"].encode(), len(plan["hostname"]))
    _enter_root(plan)
    _lose_rights(plan["user"], plan["group"], plan["groups"])
    _call("prctl", DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)  # a wish that the kernel forgets when the user changes
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SEEN)
    _become(plan)


def _become(plan: dict[str, Any]) -> NoReturn:
    os.chdir(plan["directory"])
    os.execve(plan["command"][0], plan["command"], plan["environment"])


def _outside(child: int) -> int:
    while True:
        number = signal.sigwait(SEEN)
        if number != signal.SIGCHLD:
            os.kill(child, number)
            continue
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code


def main() -> int:
    plan = json.loads(Path(sys.argv[1]).read_text())
    if not plan["isolated"]:
        _become(plan)
    signal.pthread_sigmask(signal.SIG_BLOCK, SEEN)
    _call("unshare", NEW_NAMESPACES)
    child = os.fork()
    if child == 0:
        _inside(plan)
    return _outside(child)


if __name__ == "__main__":
    sys.exit(main())
