/* The system calls that take a path, and the filter that stops them; of trace.c. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mark.h"

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#else
#error "this architecture is not known here"
#endif

enum { STAT, OPEN, UNNAME, LINK, READLINK, RENAME, NONE = -1 };

/* Number, what it does; which argument is the directory, the path, the flags or the size of the buffer. A script that
 * writes, moves or removes a source counts as one that reads it: it has to do so again where an edit undid it. */
static const struct call { int nr, kind, dirfd, path, more; } CALLS[] = {
#ifdef __NR_open
    {__NR_open, OPEN, NONE, 0, 1},
    {__NR_stat, STAT, NONE, 0, NONE},
    {__NR_lstat, STAT, NONE, 0, NONE},
    {__NR_access, STAT, NONE, 0, NONE},
    {__NR_readlink, READLINK, NONE, 0, 2},
    {__NR_creat, OPEN, NONE, 0, NONE},
    {__NR_unlink, UNNAME, NONE, 0, NONE},
    {__NR_link, UNNAME, NONE, 0, NONE},
    {__NR_rename, RENAME, NONE, 0, NONE},
    {__NR_symlink, LINK, NONE, 1, NONE},
#endif
#ifdef __NR_renameat
    {__NR_renameat, RENAME, 0, 1, NONE},
#endif
    {__NR_openat, OPEN, 0, 1, 2},
    {__NR_openat2, OPEN, 0, 1, NONE},
    {__NR_newfstatat, STAT, 0, 1, 3},
    {__NR_statx, STAT, 0, 1, 2},
    {__NR_faccessat, STAT, 0, 1, NONE},
    {__NR_faccessat2, STAT, 0, 1, NONE},
    {__NR_readlinkat, READLINK, 0, 1, 3},
    {__NR_chdir, STAT, NONE, 0, NONE},
    {__NR_truncate, OPEN, NONE, 0, NONE},
    {__NR_unlinkat, UNNAME, 0, 1, NONE},
    {__NR_linkat, UNNAME, 0, 1, NONE},
    {__NR_renameat2, RENAME, 0, 1, NONE},
    {__NR_symlinkat, LINK, 1, 2, NONE},
    {__NR_execve, STAT, NONE, 0, NONE},
    {__NR_execveat, STAT, 0, 1, NONE},
};
enum { CALL_COUNT = sizeof CALLS / sizeof *CALLS };

static const struct call *call_of(int nr) {
  for (const struct call *call = CALLS; call < CALLS + CALL_COUNT; call++)
    if (call->nr == nr) return call;
  return NULL;
}

#define ARGUMENT(i) (offsetof(struct seccomp_data, args) + 8 * (size_t)(i)) /* the low half: little-endian machines */
#define LOAD(at) (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define MASK(bits) (struct sock_filter) BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits)
#define UNLESS(value, skip) (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define RETURN(value) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, value)

/* Stops every call of the table, but open files that are looked at, and of rustc files that are opened only to write.
 * rustc asks for thousands of real paths, by readlink into 1,023 bytes, and moves and removes hundreds of its own files
 * (a quarter of all calls): hook.c lets those of the sources be seen. It asks for thousands of compiled crates too: hook.c
 * marks those. */
static int listen_to_self(int compiler) {
  struct sock_filter filter[8 + 10 * CALL_COUNT], *at = filter;
  *at++ = LOAD(offsetof(struct seccomp_data, arch));
  *at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 1, 0);
  *at++ = RETURN(SECCOMP_RET_USER_NOTIF);
  *at++ = LOAD(offsetof(struct seccomp_data, nr));
  /* What a ring reads is seen by no filter. */
  *at++ = UNLESS(__NR_io_uring_setup, 1);
  *at++ = RETURN(SECCOMP_RET_ERRNO | ENOSYS);
  for (const struct call *call = CALLS; call < CALLS + CALL_COUNT; call++) {
    if (compiler && call->kind == UNNAME) continue;
    int plain = call->more == NONE || (!compiler && call->kind != STAT);
    int marked = compiler && (call->nr == __NR_openat || call->nr == __NR_statx);
    *at++ = UNLESS(call->nr, plain ? 1 : marked ? 9 : 5);
    if (!plain) {
      uint32_t bits = call->kind == OPEN ? O_ACCMODE : call->kind == STAT ? AT_EMPTY_PATH : UINT32_MAX;
      *at++ = LOAD(ARGUMENT(call->more));
      *at++ = MASK(bits);
      *at++ = UNLESS(call->kind == OPEN ? O_WRONLY : call->kind == STAT ? AT_EMPTY_PATH : 1023, 1);
      *at++ = RETURN(SECCOMP_RET_ALLOW);
    }
    if (marked) {
      *at++ = LOAD(ARGUMENT(3));
      *at++ = MASK(call->nr == __NR_statx ? UNUSED_WISHES : UINT32_MAX);
      *at++ = UNLESS(COMPILED, 1);
      *at++ = RETURN(SECCOMP_RET_ALLOW);
    }
    *at++ = RETURN(SECCOMP_RET_USER_NOTIF);
  }
  *at++ = RETURN(SECCOMP_RET_ALLOW);
  struct sock_fprog program = {(unsigned short)(at - filter), filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return -1;
  /* The filter confines nobody. Kernels before 5.16 would have the processor guess less for whoever has one. */
  unsigned flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
  return (int)syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}
