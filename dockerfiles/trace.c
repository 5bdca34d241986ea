/* Who reads what: runs one unit, which is a run of rustc or of a build script with all that it starts, and writes down
 * every file and folder of the sources that it looks at.
 *
 *   trace SOURCES NOTES PROGRAM ARGV0 ARGUMENTS...    ends as the program ends; what is no unit just runs
 *
 * Where LAYERDOIT_TRACE ends with `:own`, a crate whose root is elsewhere is no unit.
 * Each system call that takes a path stops until it is written down (seccomp user notification, Linux 5.5): static
 * programs, raw system calls, and names that were looked for in vain are seen too, and nothing that was read is lost
 * when the build is killed. Lines of NOTES/log, tab-separated:
 *   unit   <unit> rustc|script <crate> <root of the crate | OUT_DIR>
 *   stat   <unit> <path below SOURCES>    looked at
 *   open   <unit> <path below SOURCES>    read; a folder: listed
 *   move   <unit> <path below SOURCES>    written, moved or removed, and so not there as it was for the next run
 *   opaque <unit> <why>                   what it read is not known
 * NOTES/links: `<path><tab><path in SOURCES>`, symbolic links elsewhere that lead into the sources.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls.h"
#include "texts.h"

/* Newer than many a header. */
#define SET_FLAGS SECCOMP_IOW(4, uint64_t)
#define SYNC_WAKE_UP 1ul

static const char ONLY_OWN[] = ":own"; /* the end of LAYERDOIT_TRACE */

/* --- the unit ------------------------------------------------------------------------------------------------------ */

static const char *sources;
static size_t sources_length;
static int log_file, links_file;
static char *unit, *root_of_crate;
static struct set told;

static void tell(int file, const char *line) {
  if (!is_new(&told, line)) return;
  /* Before the call goes on: what was read is known even if all of this is killed. */
  size_t length = strlen(line);
  if (write(file, line, length) != (ssize_t)length) perror("trace: what is read cannot be written down"), exit(125);
}

static void note(const char *kind, const char *what) {
  char *line = text("%s\t%s\t%s\n", kind, unit, what);
  /* A name with a line break cannot be written down, nor sent as a source. */
  if (strcspn(line, "\n") + 1 == strlen(line)) tell(log_file, line);
  free(line);
}

static void name_unit(const char *kind, const char *crate, const char *hash, const char *root) {
  unit = text("%s %s%s", kind, crate, hash);
  char *line = text("unit\t%s\t%s\t%s\t%s\n", unit, kind, crate, root);
  tell(log_file, line);
  free(line);
}

static int ends_with(const char *word, const char *end) {
  size_t length = strlen(word), tail = strlen(end);
  return length >= tail && !strcmp(word + length - tail, end);
}

static int is_below(const char *path, const char *top, size_t length) {
  return !strncmp(path, top, length) && (!path[length] || path[length] == '/');
}

/* Whether the arguments are those of rustc that compiles a crate, where ONLY_OWN one whose root is in the sources. */
static int is_compiler(char **words, int only_own) {
  const char *crate = NULL, *hash = "", *root = NULL;
  int compiles = 0;
  for (char **word = words; *word; word++) {
    if (!strcmp(*word, "--crate-name")) crate = word[1];
    if (!strncmp(*word, "metadata=", 9) && !*hash) hash = *word + 9;
    if (!strncmp(*word, "extra-filename=", 15)) hash = *word + 15;
    if (!strncmp(*word, "--emit", 6)) compiles = 1;
    if (**word != '-' && ends_with(*word, ".rs")) root = *word;
    /* Too many words for one call: cargo put them into a file. */
    if (**word == '@') crate = root = "?", compiles = 1;
  }
  if (!crate || !root || !compiles) return 0;
  char folder[PATH_MAX] = "";
  if (*root != '/' && !getcwd(folder, sizeof folder)) return 0;
  root_of_crate = text("%s%s%s", folder, *root == '/' ? "" : "/", root);
  if (only_own && *root != '?' && !is_below(root_of_crate, sources, sources_length)) return 0;
  name_unit("rustc", crate, hash, root_of_crate);
  return 1;
}

/* Whether cargo runs a build script: by the environment that it gives it. */
static int is_script(void) {
  const char *out = getenv("OUT_DIR"), *package = getenv("CARGO_PKG_NAME");
  if (!out || !package || !getenv("NUM_JOBS") || !getenv("HOST")) return 0;
  name_unit("script", package, out, out);
  return 1;
}

/* --- paths --------------------------------------------------------------------------------------------------------- */

/* The string at an address of another process. A process that may not be looked into is one of another user. */
static int read_string(pid_t pid, uint64_t address, char *name) {
  for (size_t length = 0; length < PATH_MAX;) {
    size_t room = 4096 - (address + length) % 4096; /* what lies behind the page may not be there */
    if (room > PATH_MAX - length) room = PATH_MAX - length;
    struct iovec here = {name + length, room}, there = {(void *)(uintptr_t)(address + length), room};
    ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);
    if (got < 0 && errno == EPERM) note("opaque", "a process of another user cannot be looked into");
    if (got <= 0) return 0;
    if (memchr(name + length, 0, (size_t)got)) return 1;
    length += (size_t)got;
  }
  return 0;
}

static int read_link(char *to, const char *format, pid_t pid, int number) {
  char path[64];
  snprintf(path, sizeof path, format, pid, number);
  ssize_t length = readlink(path, to, PATH_MAX - 1);
  if (length < 0 && errno == EACCES) note("opaque", "a process of another user cannot be looked into");
  to[length > 0 ? length : 0] = 0;
  return length > 0;
}

/* Of an absolute path, takes `.` and doubled slashes out, and `..` too if `parents`. */
static void tidy(char *path, int parents) {
  char *end = path; /* what is kept so far: "" or "/a/b" */
  for (char *part = path; *part;) {
    while (*part == '/') part++;
    size_t length = strcspn(part, "/");
    if (parents && length == 2 && !strncmp(part, "..", 2)) {
      while (end > path && *--end != '/') {}
    } else if (length && !(length == 1 && *part == '.')) {
      *end++ = '/';
      memmove(end, part, length);
      end += length;
    }
    part += length;
  }
  *end = 0;
}

static struct link { struct link *next; char *from, *to; } *links;

static void add_link(const char *from, const char *to) {
  struct link *made = checked(malloc(sizeof *made));
  *made = (struct link){links, checked(strdup(from)), checked(strdup(to))};
  links = made;
}

static void load_links(const char *path) {
  FILE *file = fopen(path, "r");
  char line[2 * PATH_MAX];
  while (file && fgets(line, sizeof line, file)) {
    char *to = strchr(line, '\t');
    line[strcspn(line, "\n")] = 0;
    if (to) *to = 0, add_link(line, to + 1);
  }
  if (file) fclose(file);
}

/* The part below the sources ("" for their top), or NULL. In it `..` stays: a link may stand before it. */
static const char *below_sources(char *path) {
  if (*path != '/') return NULL; /* a pipe, a socket */
  if (!is_below(path, sources, sources_length)) tidy(path, 1);
  for (int turn = 0; turn < 8; turn++) {
    if (is_below(path, sources, sources_length)) {
      tidy(path + sources_length, 0);
      return path[sources_length] ? path + sources_length + 1 : "";
    }
    struct link *found = links;
    while (found && !is_below(path, found->from, strlen(found->from))) found = found->next;
    if (!found) return NULL;
    size_t length = strlen(found->to), rest = strlen(path + strlen(found->from));
    if (length + rest >= PATH_MAX) return NULL;
    memmove(path + length, path + strlen(found->from), rest + 1);
    memcpy(path, found->to, length);
  }
  return NULL;
}

/* The absolute path that a call names, as its process sees it. */
static int absolute(const struct seccomp_notif *stopped, const struct call *call, char *path) {
  char name[PATH_MAX], top[PATH_MAX] = "";
  pid_t pid = (pid_t)stopped->pid;
  if (!read_string(pid, stopped->data.args[call->path], name)) return 0;
  int number;
  if (sscanf(name, "/proc/self/fd/%d", &number) == 1 || sscanf(name, "/dev/fd/%d", &number) == 1) {
    return read_link(path, "/proc/%d/fd/%d", pid, number);
  }
  if (!strncmp(name, "/proc/self/", 11) || !strncmp(name, "/proc/thread-self/", 18)) {
    char real[PATH_MAX];
    snprintf(top, sizeof top, "/proc/%d/%s", pid, strchr(name + 6, '/') + 1);
    snprintf(path, PATH_MAX, "%s", realpath(top, real) ? real : top);
    return 1;
  }
  if (*name != '/') {
    int dirfd = call->dirfd == NONE ? AT_FDCWD : (int)stopped->data.args[call->dirfd];
    if (!*name && dirfd == AT_FDCWD) return 0;
    if (!read_link(top, dirfd == AT_FDCWD ? "/proc/%d/cwd" : "/proc/%d/fd/%d", pid, dirfd)) return 0;
  }
  return snprintf(path, PATH_MAX, "%s%s%s", top, *name == '/' ? "" : "/", name) < PATH_MAX;
}

/* symlink(target, name): from now on, `name` is a way into the sources. */
static void follow_link(const struct seccomp_notif *stopped, const struct call *call) {
  char target[PATH_MAX], name[PATH_MAX];
  if (!read_string((pid_t)stopped->pid, stopped->data.args[0], target) || !absolute(stopped, call, name)) return;
  tidy(name, 1);
  int folder = *target == '/' ? 0 : (int)(strrchr(name, '/') - name);
  char *joined = text("%.*s%s%s", folder, name, folder ? "/" : "", target);
  if (strlen(joined) < PATH_MAX && below_sources(strcpy(target, joined)) && !is_below(name, sources, sources_length)) {
    char *line = text("%s\t%s\n", name, target);
    add_link(name, target);
    tell(links_file, line);
    free(line);
  }
  free(joined);
}

/* --- the program --------------------------------------------------------------------------------------------------- */

static int send_file(int channel, int file) {
  union { struct cmsghdr head; char space[CMSG_SPACE(sizeof file)]; } extra = {0};
  struct iovec byte = {"", 1};
  struct msghdr message = {.msg_iov = &byte, .msg_iovlen = 1, .msg_control = &extra, .msg_controllen = sizeof extra};
  extra.head = (struct cmsghdr){CMSG_LEN(sizeof file), SOL_SOCKET, SCM_RIGHTS};
  memcpy(CMSG_DATA(&extra.head), &file, sizeof file);
  return sendmsg(channel, &message, 0) == 1 ? 0 : -1;
}

static int receive_file(int channel) {
  union { struct cmsghdr head; char space[CMSG_SPACE(sizeof(int))]; } extra = {0};
  char byte;
  struct iovec room = {&byte, 1};
  struct msghdr message = {.msg_iov = &room, .msg_iovlen = 1, .msg_control = &extra, .msg_controllen = sizeof extra};
  if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&message)) return -1;
  int file;
  memcpy(&file, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof file);
  return file;
}

static void run(char **argv) {
  execvp(argv[0], argv + 1);
  perror(argv[0]);
  _exit(127);
}

/* Starts the program; the file of its stopped calls, or -1 where that cannot be had: then it runs all the same. */
static int start(char **argv, int compiler, pid_t *child) {
  int channel[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel)) return -1;
  if ((*child = fork()) == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int listener = listen_to_self(compiler);
    if (listener >= 0) send_file(channel[1], listener), close(listener);
    else close(channel[1]);
    run(argv);
  }
  close(channel[1]);
  int listener = *child > 0 ? receive_file(channel[0]) : -1;
  close(channel[0]);
  return listener;
}

/* Whether the file that a call names may be another afterwards. */
static int changes(const struct seccomp_data *data, const struct call *call) {
  if (call->kind == RENAME || call->kind == UNNAME) return 1;
  if (call->kind != OPEN || call->more == NONE) return call->kind == OPEN;
  int flags = (int)data->args[call->more];
  /* hook.c shows a file so. */
  return (flags & O_ACCMODE) != O_RDONLY || (flags & (O_PATH | O_NOFOLLOW)) == (O_PATH | O_NOFOLLOW);
}

static void answer(int listener) {
  struct seccomp_notif stopped = {0};
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &stopped)) return; /* it was killed meanwhile */
  const struct call *call = stopped.data.arch == NATIVE ? call_of(stopped.data.nr) : NULL;
  char path[PATH_MAX];
  const char *inside;
  if (!call) note("opaque", "it is a program of another architecture");
  else if (call->kind == LINK) follow_link(&stopped, call);
  else if (absolute(&stopped, call, path) && (inside = below_sources(path))) {
    note(call->kind == STAT || call->kind == READLINK ? "stat" : "open", inside);
    if (changes(&stopped.data, call)) note("move", inside);
  }
  if (call && call->kind == RENAME) {
    int plain = call->dirfd == NONE;
    struct call to = {call->nr, RENAME, plain ? NONE : 2, plain ? 1 : 3, NONE};
    if (absolute(&stopped, &to, path) && (inside = below_sources(path))) note("open", inside), note("move", inside);
  }
  struct seccomp_notif_resp go_on = {.id = stopped.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
  ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &go_on);
}

/* Answers until no process is left of those that were started, or the given one has ended. */
static void answer_all(int listener, int ended) {
  struct pollfd both[] = {{listener, POLLIN, 0}, {ended, POLLIN, 0}};
  while (!(both[1].revents & POLLIN)) {
    if (poll(both, ended < 0 ? 1 : 2, -1) < 0 && errno != EINTR) return;
    if (both[0].revents & POLLIN) answer(listener);
    else if (both[0].revents && ended < 0) return;
    else if (both[0].revents) both[0].fd = -1;
  }
}

/* A server that the unit started, such as a compiler cache's, works on, and its calls need an answer. */
static void answer_in_background(int listener) {
  struct pollfd left = {listener, POLLIN, 0};
  poll(&left, 1, 0);
  if (left.revents & (POLLHUP | POLLERR) || fork()) return;
  setsid();
  /* Whoever reads what the unit prints waits for the end of it. */
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int file = 0; file < 3; file++) dup2(nothing, file);
  answer_all(listener, -1);
  _exit(0);
}

/* Whether a server compiled: then it is not known what was read. */
static int is_served(void) {
  char path[PATH_MAX];
  if (!root_of_crate || snprintf(path, sizeof path, "%s", root_of_crate) >= PATH_MAX) return 0;
  const char *inside = below_sources(path);
  char *line = inside ? text("open\t%s\t%s\n", unit, inside) : NULL;
  int served = line && !value_of(&told, line);
  free(line);
  return served;
}

int main(int argc, char **argv) {
  if (argc < 5) return fputs("usage: trace SOURCES NOTES PROGRAM ARGV0 ARGUMENTS...\n", stderr), 2;
  sources = argv[1];
  sources_length = strlen(sources);
  char *log_path = text("%s/log", argv[2]), *links_path = text("%s/links", argv[2]);
  log_file = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  links_file = open(links_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log_file < 0 || links_file < 0) return perror(argv[2]), 125;
  const char *said = getenv("LAYERDOIT_TRACE");
  int compiler = is_compiler(argv + 4, said && ends_with(said, ONLY_OWN));
  /* Only rustc needs hook.c. */
  if (!compiler) unsetenv("LD_PRELOAD"), unsetenv("LAYERDOIT_TRACE");
  if (!compiler && !is_script()) run(argv + 3);
  load_links(links_path);
  pid_t child = -1;
  int listener = start(argv + 3, compiler, &child);
  int ended = child > 0 ? (int)syscall(__NR_pidfd_open, child, 0) : -1;
  if (child < 0 || (listener >= 0 && ended < 0)) return perror("trace"), 125;
  if (listener < 0) note("opaque", "the kernel or the container does not let it be seen");
  int status = 0;
  if (listener >= 0) {
    ioctl(listener, SET_FLAGS, SYNC_WAKE_UP); /* a kernel before 6.6 says no */
    answer_all(listener, ended);
  }
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  if (listener >= 0) {
    answer_in_background(listener);
    if (is_served()) note("opaque", "a server compiles it");
  }
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  signal(WTERMSIG(status), SIG_DFL);
  raise(WTERMSIG(status));
  return 128 + WTERMSIG(status);
}
