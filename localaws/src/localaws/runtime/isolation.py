"""Runs a command as a container of SageMaker runs it; a program of its own, for the image's Python (3.12, Linux).

`python isolation.py JSON` (see `Sandbox`) gives the command namespaces of its own, without root's rights on this machine:

* files: the system's folders, the interpreter and the image's packages, all read-only; only /tmp can be written, and a
  job's or an instance's /opt/ml and /dev/shm;
* user: nobody, with no capability and no way to get one. Started by root, it is nobody outside as well;
* network: loopback only, unless the sandbox has the machine's. The port that the local AWS asks is opened before the
  network is left behind; its connections are handed on to the container's own port, so that both sides speak plain TCP.

What cannot be set up ends the program with exit code 71 (EX_OSERR) and one sentence.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypedDict

NOT_ISOLATED = os.EX_OSERR
SYSTEM = ("bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "nix", "proc", "sbin", "sys", "usr")
NOBODY = 65534
PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 4, 38
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x20000, 0x10000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 0x1000, 0x4000, 0x40000, 2
# The same numbers on x86_64 and arm64; the C library has no function for them everywhere.
SYS_MOUNT_SETATTR, AT_RECURSIVE, MOUNT_ATTR_RDONLY = 442, 0x8000, 1
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
CHUNK = 1 << 16

libc = ctypes.CDLL(None, use_errno=True)


class Sandbox(TypedDict):
    """The folders and the network of an isolated command."""

    root: str  # an empty folder, where the container's files are put together
    folders: list[str]  # visible at their own place: the interpreter, the image's packages
    ml: str  # becomes /opt/ml
    ml_writable: bool
    tmp: str  # becomes /tmp
    hosts: str  # becomes /etc/hosts; nothing: the machine's
    network: bool  # the machine's; else loopback only
    port: int  # on this machine's loopback; 0: none
    container_port: int


def main() -> NoReturn:
    command: list[str] = sys.argv[2:]
    run(json.loads(sys.argv[1]), lambda: _execute(command))


def run(sandbox: Sandbox, program: Callable[[], object]) -> NoReturn:
    """Call the program, which ends its process, in a child that is isolated; end as that does."""
    listener = socket.create_server(("127.0.0.1", sandbox["port"])) if sandbox["port"] else None
    privileged = os.getuid() == 0
    try:
        _leave_machine(sandbox["network"], privileged)
        _build_root(sandbox)
    except OSError as error:
        print(f"no namespaces for a container on this machine: {error}", file=sys.stderr, flush=True)
        os._exit(NOT_ISOLATED)
    child = _start(program, listener, privileged)
    for number in (signal.SIGTERM, signal.SIGINT):  # for the child, which may take its time to end
        signal.signal(number, signal.SIG_IGN)
    if listener is not None:
        threading.Thread(target=_hand_on, args=(listener, sandbox["container_port"]), daemon=True).start()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def _start(program: Callable[[], object], listener: socket.socket | None, privileged: bool) -> int:
    """The child's process id. A process gives itself a user through /proc, which is read-only afterwards."""
    is_nobody, become_nobody = os.pipe()
    is_closed, close_proc = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if listener is not None:
                listener.close()
            _become_nobody(privileged)
            for descriptor in (become_nobody, close_proc):
                os.close(descriptor)
            os.read(is_closed, 1)
            program()
        finally:
            os._exit(NOT_ISOLATED)
    for descriptor in (become_nobody, is_closed):
        os.close(descriptor)
    os.read(is_nobody, 1)
    _set_attributes(Path("/proc"), 0, added=MOUNT_ATTR_RDONLY)
    os.close(close_proc)
    return child


def _leave_machine(network: bool, privileged: bool) -> None:
    uid, gid = os.getuid(), os.getgid()
    spaces = CLONE_NEWUSER | CLONE_NEWNS | (0 if network else CLONE_NEWNET)
    if privileged:
        _unshare_mapped_by_root(spaces, uid, gid)
    else:
        _call(libc.unshare(spaces), "unshare")
        _map_user(0, uid, 0, gid)
    if network:
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def _unshare_mapped_by_root(spaces: int, uid: int, gid: int) -> None:
    """Root maps nobody, too; it has to do so from outside of the new namespace."""
    has_left, leave = os.pipe()
    inside = os.getpid()
    helper = os.fork()
    if helper == 0:
        code = 1
        try:
            os.close(leave)
            os.read(has_left, 1)
            for name, own in (("uid_map", uid), ("gid_map", gid)):
                Path(f"/proc/{inside}/{name}").write_text(f"0 {own} 1\n{NOBODY} {NOBODY} 1\n")
            code = 0
        finally:
            os._exit(code)
    os.close(has_left)
    answer = libc.unshare(spaces)
    os.close(leave)
    _, status = os.waitpid(helper, 0)
    _call(answer, "unshare")
    if status != 0:
        raise OSError("root may not map the user nobody into a user namespace")


def _become_nobody(privileged: bool) -> None:
    """Change to the user nobody, without the rights of the user that set up the container."""
    if privileged:
        os.setgroups([])
    else:
        _call(libc.unshare(CLONE_NEWUSER), "unshare")
        _map_user(NOBODY, 0, NOBODY, 0)
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    for option in (PR_SET_NO_NEW_PRIVS, PR_SET_DUMPABLE):  # the second: its own /proc/self stays its own
        _call(libc.prctl(option, 1, 0, 0, 0), "prctl")


def _map_user(uid: int, outer_uid: int, gid: int, outer_gid: int) -> None:
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny")  # without it the kernel refuses the groups
    (own / "uid_map").write_text(f"{uid} {outer_uid} 1")
    (own / "gid_map").write_text(f"{gid} {outer_gid} 1")


def _build_root(sandbox: Sandbox) -> None:
    root = Path(sandbox["root"])
    _mount(None, Path("/"), flags=MS_REC | MS_PRIVATE)
    _mount("tmpfs", root, kind="tmpfs")
    for name in SYSTEM:
        outside = Path("/", name)
        if outside.is_symlink():
            (root / name).symlink_to(outside.readlink())
        elif outside.is_dir():
            _show(outside, root / name)
    _show(Path(sandbox["tmp"]), root / "tmp")
    for folder in sandbox["folders"]:
        if Path(folder).parts[1] not in SYSTEM:
            _show(Path(folder), root / folder[1:])
    _show(Path(sandbox["ml"]), root / "opt/ml")
    if sandbox["hosts"]:
        _mount(sandbox["hosts"], root / "etc/hosts", flags=MS_BIND)
    if sandbox["ml_writable"]:
        _mount("tmpfs", root / "dev/shm", kind="tmpfs")
    _set_attributes(root, AT_RECURSIVE, added=MOUNT_ATTR_RDONLY)
    for name in ("tmp", "proc", *(("opt/ml", "dev/shm") if sandbox["ml_writable"] else ())):
        _set_attributes(root / name, 0, removed=MOUNT_ATTR_RDONLY)
    os.chdir(root)
    machine = os.uname().machine
    if machine not in SYS_PIVOT_ROOT:
        raise OSError(f"pivot_root has no known number on {machine}")
    here = ctypes.c_char_p(b".")
    _call(libc.syscall(SYS_PIVOT_ROOT[machine], here, here), "pivot_root")
    _call(libc.umount2(here, MNT_DETACH), "umount")
    os.chdir("/")


def _show(outside: Path, inside: Path) -> None:
    inside.mkdir(parents=True, exist_ok=True)
    _mount(str(outside), inside, flags=MS_BIND | MS_REC)


def _mount(source: str | None, target: Path, *, kind: str | None = None, flags: int = 0) -> None:
    texts = [None if text is None else os.fsencode(text) for text in (source, str(target), kind)]
    _call(libc.mount(*texts, ctypes.c_ulong(flags), None), f"mount {target}")


def _set_attributes(path: Path, flags: int, *, added: int = 0, removed: int = 0) -> None:
    attributes = struct.pack("QQQQ", added, removed, 0, 0)
    answer = libc.syscall(
        SYS_MOUNT_SETATTR, -1, ctypes.c_char_p(os.fsencode(path)), flags, attributes, len(attributes)
    )
    _call(answer, f"mount_setattr {path}")


def _call(answer: int, what: str) -> None:
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _execute(command: list[str]) -> NoReturn:
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        os._exit(127)


def _hand_on(listener: socket.socket, port: int) -> None:
    while True:
        outside, _ = listener.accept()
        try:
            inside = socket.create_connection(("127.0.0.1", port))
        except OSError:  # nothing listens there (yet): the caller sees a closed connection
            outside.close()
            continue
        for end in (outside, inside):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for pair in ((outside, inside), (inside, outside)):
            threading.Thread(target=_copy, args=pair, daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side has gone: so does this one
        while data := source.recv(CHUNK):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    main()
