"""The system calls that a container may use. What is not listed fails with EPERM.

The engine's default profile serves every container; this one serves one purpose, so it can be tighter. Left out on
purpose, besides what needs capabilities anyway: tracing and reading other processes (ptrace, process_vm_*, kcmp,
pidfd_getfd), new namespaces and mounts, keyrings, bpf, perf, userfaultfd and io_uring (a long history of kernel bugs),
System V and POSIX message queues and shared memory (they outlive processes), inotify and fanotify (quotas per user),
modify_ldt, personality, and every 32-bit entry. Left out because one program could leave a mark for the next: sockets
of any network, whose counters stay (`loopback` allows them), files without a name, and looking into or clearing the
cache of files.
"""

import json
from typing import Any

_ALLOWED: dict[str, str] = {
    "files: what a program may do with the few folders it can write is bounded by their size": """
        access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
        fallocate fchdir fchmod fchmodat fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fstat fstatfs fsync
        ftruncate futimesat getcwd getdents getdents64 getxattr lchown lgetxattr link linkat listxattr llistxattr lseek
        lstat mkdir mkdirat mknod mknodat newfstatat pipe pipe2 pread64 preadv pwrite64
        pwritev read readlink readlinkat readv rename renameat renameat2 rmdir sendfile splice stat statfs
        statx symlink symlinkat tee truncate umask unlink unlinkat utime utimensat utimes write writev
    """,
    "waiting for descriptors": """
        epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 poll
        ppoll pselect6 select signalfd signalfd4 timerfd_create timerfd_gettime timerfd_settime
    """,
    "memory": """
        brk madvise membarrier mincore mlock mmap mprotect mremap msync munlock munmap
    """,
    "processes: their number is bounded by the pids limit; clone is below": """
        arch_prctl execve execveat exit exit_group fork get_robust_list getcpu getegid geteuid getgid getgroups getpgid
        getpgrp getpid getppid getpriority getresgid getresuid getrlimit getrusage getsid gettid getuid
        sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
        sched_getscheduler sched_rr_get_interval sched_yield set_robust_list set_tid_address setpgid setrlimit setsid
        times vfork wait4 waitid rseq
    """,
    "users: the supervisor becomes the candidate; a process without capabilities can't": """
        capget setgid setgroups setregid setresgid setresuid setreuid setuid
    """,
    "signals: only to processes of the same user": """
        alarm getitimer kill pause pidfd_open pidfd_send_signal restart_syscall rt_sigaction rt_sigpending
        rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo setitimer
        sigaltstack tgkill tkill
    """,
    "time and locks": """
        clock_getres clock_gettime clock_nanosleep futex futex_waitv gettimeofday nanosleep time timer_create
        timer_delete timer_getoverrun timer_gettime timer_settime
    """,
    "facts": "getrandom sysinfo uname",
    "giving up rights": "landlock_add_rule landlock_create_ruleset landlock_restrict_self",
    "sockets: see below; there is no network to reach": """
        accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg
        sendmsg sendto setsockopt shutdown socketpair
    """,
}

_UNNAMED_FILE = 0o20000000  # O_TMPFILE, without the bit that says folder
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER: orphans would come to a process that may hide their time
_NEW_NAMESPACES = 0x7E020000
_SIBLING = 0x8000  # CLONE_PARENT: a process that its maker's parent would have to wait for
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_ENOSYS, _EAFNOSUPPORT = 38, 97
# isatty, window size, process group, bytes waiting, blocking, closing on exec: what an interpreter asks of descriptors
_IOCTLS = (0x5401, 0x5413, 0x540F, 0x541B, 0x5421, 0x5450, 0x5451)

_ARCHITECTURES = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}
_ARCHITECTURES |= {"amd64": "SCMP_ARCH_X86_64", "arm64": "SCMP_ARCH_AARCH64"}  # as Podman calls them


def profile(architecture: str, loopback: bool = False) -> str | None:
    """The profile as the engine wants it; None for an architecture it was not written for (the default one serves).

    With `loopback`, programs may make sockets of the container's empty network, and find what others left in it.
    """
    name = _ARCHITECTURES.get(architecture)
    if name is None:
        return None
    rules = [_rule(names.split()) for names in _ALLOWED.values()]
    rules.append(_rule(["clone"], _masked(0, _NEW_NAMESPACES | _SIBLING, 0)))
    # Their flags are behind a pointer, where no filter can look. Told that they do not exist, libc does without them.
    rules.append({"names": ["clone3", "openat2"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS})
    rules += [_rule(["open"], _masked(1, _UNNAMED_FILE, 0)), _rule(["openat"], _masked(2, _UNNAMED_FILE, 0))]
    rules.append(_rule(["preadv2", "pwritev2"], _equal(5, 0)))  # without flags, which tell what is cached
    rules.append(_rule(["socket"], _equal(0, _AF_UNIX)))
    for family in (_AF_INET, _AF_INET6):  # as on a machine that has no network at all
        rule = _rule(["socket"], _equal(0, family))
        rules.append(rule if loopback else rule | {"action": "SCMP_ACT_ERRNO", "errnoRet": _EAFNOSUPPORT})
    rules += [_rule(["ioctl"], _equal(1, request)) for request in _IOCTLS]
    rules.append(_rule(["prctl"], {"index": 0, "value": _SUBREAPER, "op": "SCMP_CMP_NE"}))
    # Limits, priority and processors: one's own only, though the same user's would be allowed.
    rules.append(_rule(["prlimit64", "sched_setaffinity"], _equal(0, 0)))
    rules.append(_rule(["setpriority"], _equal(0, 0), _equal(1, 0)))
    return json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "architectures": [name], "syscalls": rules})


def _rule(names: list[str], *conditions: dict[str, Any]) -> dict[str, Any]:
    return {"names": names, "action": "SCMP_ACT_ALLOW", "args": list(conditions)}


def _equal(index: int, value: int) -> dict[str, Any]:
    return {"index": index, "value": value, "op": "SCMP_CMP_EQ"}


def _masked(index: int, mask: int, value: int) -> dict[str, Any]:
    return {"index": index, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}
