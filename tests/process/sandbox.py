"""What systemd makes of systemd/datumd@.service, made by hand where there is no systemd: run a command under those restrictions.

unshare --mount python -m tests.process.sandbox --uid 61234 --name NAME --state DIR --see DIR -- COMMAND…

Needs root. Everything is read-only but the station's state and run folders, /dev/shm, and a /tmp of its own; homes are empty but
for what `--see` names; the user has no capability and can gain none; system calls are of @system-service without @privileged.
"""

import argparse
import ctypes
import ctypes.util
import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 1 << 18
MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, RDONLY = 442, -100, 0x8000, 1  # mount_setattr(2)
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, LAST_CAP = 24, 38, 63
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM  # seccomp(2)
HIDDEN = ("/home", "/root", "/tmp", "/run", "/var/lib")  # noqa: S108 - a new one is mounted there
FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK
EQUAL = 4

_libc = ctypes.CDLL(None, use_errno=True)


class _Attributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns")]


class _Argument(ctypes.Structure):
    """scmp_arg_cmp of libseccomp."""

    _fields_ = [("number", ctypes.c_uint), ("how", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def main() -> None:
    """Restrict this process, then become the command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--uid", type=int, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--see", type=Path, action="append", default=[])
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    filtered = system_calls()
    _mounts(args.name, args.uid, args.state.resolve(), [path.resolve() for path in args.see])
    os.setgroups([])
    for capability in range(LAST_CAP + 1):
        _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # EINVAL beyond the kernel's last
    os.setresgid(args.uid, args.uid, args.uid)
    os.setresuid(args.uid, args.uid, args.uid)
    _must(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
    os.umask(0o027)
    os.chdir("/")
    if filtered:
        _filter(filtered)
    command = args.command[1:] if args.command[0] == "--" else args.command
    os.execv(command[0], command)  # noqa: S606 - what the caller wants


def system_calls() -> set[str]:
    """Names of the calls that the unit allows; none where systemd-analyze or libseccomp is absent: then all are allowed."""
    if shutil.which("systemd-analyze") is None or ctypes.util.find_library("seccomp") is None:
        return set()
    return (_group("@system-service") - _group("@privileged")) | {"execve", "exit", "exit_group"}


def _group(name: str) -> set[str]:
    said = subprocess.run(
        ["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True
    ).stdout
    words = [line.strip() for line in said.splitlines() if line.startswith("    ") and "#" not in line]
    return {call for word in words for call in (_group(word) if word.startswith("@") else {word})}


def _mounts(name: str, uid: int, state: Path, seen: list[Path]) -> None:
    """Arrange what can be seen, then make all of it read-only but what may be written."""
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    held = [(path, os.open(path, os.O_PATH)) for path in (*seen, state)]
    for folder in HIDDEN:
        _mount("tmpfs", folder, "tmpfs", 0, "mode=1777" if folder == "/tmp" else "mode=0755")  # noqa: S108 - a new one is mounted
    for path, descriptor in held[:-1]:
        if not path.exists():
            path.mkdir(parents=True)
            _mount(f"/proc/self/fd/{descriptor}", str(path), None, MS_BIND | MS_REC)
    kept, run = Path("/var/lib/datumd") / name, Path("/run/datumd") / name
    for folder in (kept, run):
        folder.mkdir(parents=True)
    _mount(f"/proc/self/fd/{held[-1][1]}", str(kept), None, MS_BIND)
    _mount(str(run), str(run), None, MS_BIND)
    for folder in (kept, run):
        os.chown(folder, uid, uid)
    _attributes("/", _Attributes(set=RDONLY), AT_RECURSIVE)
    for writable in (str(kept), str(run), "/dev/shm", "/tmp", "/proc"):  # noqa: S108 - new ones, mounted above
        _attributes(writable, _Attributes(clear=RDONLY), 0)


def _filter(names: set[str]) -> None:
    """Refuse every other system call, and sockets of other families, with EPERM."""
    seccomp = ctypes.CDLL(ctypes.util.find_library("seccomp"))
    seccomp.seccomp_init.restype = ctypes.c_void_p
    rules = ctypes.c_void_p(seccomp.seccomp_init(REFUSE))
    for name in names - {"socket"}:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # it is one of this machine's
            _must(seccomp.seccomp_rule_add_array(rules, ALLOW, number, 0, None), name)
    socket = seccomp.seccomp_syscall_resolve_name(b"socket")
    for family in FAMILIES:
        argument = _Argument(0, EQUAL, family, 0)
        _must(seccomp.seccomp_rule_add_array(rules, ALLOW, socket, 1, ctypes.byref(argument)), "socket")
    _must(seccomp.seccomp_load(rules), "seccomp")


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str = "") -> None:
    words = [word.encode() if word is not None else None for word in (source, target, kind, options)]
    _must(_libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]), f"mount {target}")


def _attributes(path: str, attributes: _Attributes, flags: int) -> None:
    size = ctypes.sizeof(attributes)
    _must(_libc.syscall(MOUNT_SETATTR, AT_FDCWD, path.encode(), flags, ctypes.byref(attributes), size), path)


def _must(returned: int, what: str) -> None:
    if returned != 0:
        sys.exit(f"sandbox: {what}: {os.strerror(ctypes.get_errno() or -returned)}")


if __name__ == "__main__":
    main()
