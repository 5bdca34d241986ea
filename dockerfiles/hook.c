/* Loaded into cargo (LD_PRELOAD): what it starts is started by `trace`, and cargo itself costs nothing.
 * Loaded into rustc: what it asks for, links or removes in the sources, it does in a way that trace sees; and for compiled
 * crates in one that does not wait for trace.
 * LAYERDOIT_TRACE: `<trace>:<SOURCES>:<NOTES>`, and `:own` for trace. No program that cargo starts finds a trace of this in
 * its environment.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mark.h"

static char program[4096], *sources, *notes;
static int in_cargo, no_links;

static int is_cargo(const char *path) {
  const char *name = strrchr(path, '/');
  name = name ? name + 1 : path;
  return !strcmp(name, "cargo") || !strncmp(name, "cargo-", 6);
}

/* Whether no link elsewhere leads into the sources, as far as trace knows. */
static int has_no_links(void) {
  char path[4096];
  struct stat found;
  return snprintf(path, sizeof path, "%s/links", notes) < (int)sizeof path && !stat(path, &found) && !found.st_size;
}

__attribute__((constructor)) static void begin(void) {
  char self[4096];
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  self[length > 0 ? length : 0] = 0;
  in_cargo = is_cargo(self);
  const char *said = getenv("LAYERDOIT_TRACE");
  if (!said || strlen(said) >= sizeof program) return;
  strcpy(program, said);
  sources = strchr(program, ':');
  if (sources) *sources++ = 0, notes = strchr(sources, ':');
  if (notes) *notes++ = 0, notes[strcspn(notes, ":")] = 0, no_links = has_no_links();
  if (!in_cargo && strcmp(self, program)) unsetenv("LAYERDOIT_TRACE"), unsetenv("LD_PRELOAD");
}

/* Where a program is found, as execvp finds it. */
static int is_there(const char *name) {
  if (strchr(name, '/')) return !access(name, X_OK);
  const char *path = getenv("PATH");
  while (path && *path) {
    size_t length = strcspn(path, ":");
    char full[4096];
    snprintf(full, sizeof full, "%.*s/%s", (int)length, path, name);
    if (!access(full, X_OK)) return 1;
    path += length + (path[length] == ':');
  }
  return 0;
}

/* The command that runs another one under trace; NULL where it is run as it is: what is not there gets its own error. */
static char **traced(const char *name, char *const *argv) {
  if (!in_cargo || !notes || is_cargo(name) || !is_there(name)) return NULL;
  size_t count = 0;
  while (argv[count]) count++;
  char **command = calloc(count + 5, sizeof *command);
  if (!command) return NULL;
  command[0] = program, command[1] = sources, command[2] = notes, command[3] = (char *)name;
  memcpy(command + 4, argv, count * sizeof *argv);
  return command;
}

typedef int spawner(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const *, char *const *);

static int spawn(const char *which, pid_t *pid, const char *name, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const *argv, char *const *environment) {
  spawner *real = (spawner *)dlsym(RTLD_NEXT, which);
  char **command = traced(name, argv);
  if (!command) return real(pid, name, actions, attributes, argv, environment);
  int failed = real(pid, program, actions, attributes, command, environment);
  free(command);
  return failed;
}

int posix_spawn(pid_t *pid, const char *name, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const *argv, char *const *environment) {
  return spawn("posix_spawn", pid, name, actions, attributes, argv, environment);
}

int posix_spawnp(pid_t *pid, const char *name, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const *argv, char *const *environment) {
  return spawn("posix_spawnp", pid, name, actions, attributes, argv, environment);
}

int execvp(const char *name, char *const *argv) {
  int (*real)(const char *, char *const *) = (int (*)(const char *, char *const *))dlsym(RTLD_NEXT, "execvp");
  char **command = traced(name, argv);
  return command ? real(program, command) : real(name, argv);
}

/* --- rustc --------------------------------------------------------------------------------------------------------- */

/* Whether a path may lead into the sources; one that is relative to an open folder, by where that is. */
static int may_lead_in(int dirfd, const char *path) {
  if (in_cargo || !sources || !path) return 0;
  char name[64], top[1024];
  if (*path != '/' && dirfd != AT_FDCWD) {
    snprintf(name, sizeof name, "/proc/self/fd/%d", dirfd);
    ssize_t length = readlink(name, top, sizeof top - 1); /* so many bytes: calls.h lets it pass */
    if (length < 0) return 1;
    top[length] = 0;
    return !strncmp(top, sources, strlen(sources)) || strstr(path, "..");
  }
  return *path != '/' || !strncmp(path, sources, strlen(sources)) || strstr(path, "..");
}

char *realpath(const char *path, char *resolved) {
  static char *(*real)(const char *, char *);
  if (!real) real = (char *(*)(const char *, char *))dlsym(RTLD_NEXT, "realpath");
  if (may_lead_in(AT_FDCWD, path)) {
    int before = errno;
    access(path, F_OK);
    errno = before;
  }
  return real(path, resolved);
}

/* A file that is written, gets another name, or loses one, counts as read, and as changed. */
static void show(int dirfd, const char *path) {
  if (!may_lead_in(dirfd, path)) return;
  int before = errno, file = openat(dirfd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (file >= 0) close(file);
  errno = before;
}

/* Whether a path is that of what rustc alone writes, elsewhere than in the sources: hundreds of them for each crate, each
 * asked for three times and opened. */
static int is_compiled(const char *path) {
  if (in_cargo || !no_links || !path || *path != '/' || strstr(path, "..") || !strncmp(path, "/proc/", 6)) return 0;
  const char *end = strrchr(path, '.');
  if (!end || (strcmp(end, ".rlib") && strcmp(end, ".rmeta") && strcmp(end, ".o"))) return 0;
  return strncmp(path, sources, strlen(sources));
}

int statx(int dirfd, const char *path, int flags, unsigned wanted, struct statx *found) {
  return (int)syscall(SYS_statx, dirfd, path, flags, is_compiled(path) ? wanted | COMPILED : wanted, found);
}

/* Files that are only written stop nothing by themselves (calls.h). */
static int opened(const char *which, const char *path, int flags, mode_t mode) {
  if ((flags & (O_ACCMODE | O_CREAT)) == O_RDONLY && is_compiled(path)) {
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, COMPILED);
  }
  int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, which);
  if ((flags & O_ACCMODE) == O_WRONLY) show(AT_FDCWD, path);
  return real(path, flags, mode);
}

#define OPEN(name)                                                                  \
  int name(const char *path, int flags, ...) {                                      \
    va_list more;                                                                   \
    va_start(more, flags);                                                          \
    int makes = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;              \
    mode_t mode = makes ? va_arg(more, mode_t) : 0;                                 \
    va_end(more);                                                                   \
    return opened(#name, path, flags, mode);                                        \
  }
OPEN(open)
OPEN(open64)

int unlinkat(int dirfd, const char *path, int flags) {
  static int (*real)(int, const char *, int);
  if (!real) real = (int (*)(int, const char *, int))dlsym(RTLD_NEXT, "unlinkat");
  show(dirfd, path);
  return real(dirfd, path, flags);
}

int linkat(int dirfd, const char *path, int to, const char *name, int flags) {
  static int (*real)(int, const char *, int, const char *, int);
  if (!real) real = (int (*)(int, const char *, int, const char *, int))dlsym(RTLD_NEXT, "linkat");
  show(dirfd, path);
  return real(dirfd, path, to, name, flags);
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }

int link(const char *path, const char *name) { return linkat(AT_FDCWD, path, AT_FDCWD, name, 0); }
