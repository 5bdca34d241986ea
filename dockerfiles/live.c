/* The first process of a container that a watch keeps: it starts the program, and starts it again when told to.
 *
 *   live SOCKET [STOP] -- PROGRAM [ARGUMENT…]   STOP: the signal that asks PROGRAM to end, SIGTERM unless said
 *   live ask SOCKET COMMAND…                    tells a supervisor COMMAND and prints the answer; 1 if nobody listens
 *
 * PROGRAM has a process group of its own, and gets every signal that the supervisor gets. Outside of a trial, its end
 * is that of the supervisor, with the same status (128 + n for a signal n). Whatever loses its parent is reaped here.
 * Commands are lines, any number on a connection; each is answered by a line:
 *   restart SECONDS   STOP to the program's group, SIGTERM to what it leaves behind; after SECONDS, all that is still
 *                     there is killed. Then PROGRAM starts again, in trial: `started PID LINGERED`, and `killed` where
 *                     something had to be, or `failed WHY`. LINGERED: the milliseconds that it took from when nothing
 *                     listened on a port any more until all had ended; 0 where it listened on none
 *   overlap SECONDS   the same, but PROGRAM starts again as soon as the old one listens no longer, if it did on a port and
 *                     on no socket in the file system. What ends in trial meanwhile, starts again when the old one has
 *   keep              ends the trial: `kept`, or how the program has ended meanwhile; then the trial goes on
 *   wait              when the program in trial ends: `ended CODE` or `ended signal N`; when the trial ends: `kept`
 *   state             `running PID`, `trial PID`, `stopping PID`, `ended CODE`, `ended signal N`
 * In trial, the end of the program ends nothing else: whoever began it lets another program start in its place.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
  MOST_ASKERS = 32,
  LONGEST_LINE = 128,
  BETWEEN_LOOKS = 5,     /* ms, while what was told to end does not yet */
  PATIENCE = 5000,       /* ms, for the kernel to end what is killed */
  WRITTEN_RETRIES = 100, /* while somebody still has the program open for writing */
  CANNOT_START = 127,
  CANNOT_SUPERVISE = 125
};

static _Noreturn void fail(int status, const char *what) {
  fprintf(stderr, "layerdoit: %s: %s\n", what, strerror(errno));
  exit(status);
}

#include "listeners.h"
#include "processes.h"
#include "signals.h"
#include "sockets.h"

static const char MARK[] = "layerdoit: started again\n"; /* in the log: what follows is of the new program */

struct asker { int fd; size_t length; char line[LONGEST_LINE]; int waits; };

static struct asker askers[MOST_ASKERS];
static char **program;
static int stop_signal = SIGTERM;
static pid_t running;      /* 0 for none */
static int last_status;    /* of the program that ended last, as waitpid has it */
static int in_trial;
static int overlaps;       /* the restart does not wait for the end of what listens no longer */
static long long deaf_at;  /* ms; when nothing listened any more; 0 for not yet */
static int leaves;         /* somebody wants the container to end */
static int stopping;       /* for a restart */
static int told_rest, killing;
static long long deadline; /* ms; of the grace, then of the kernel's */
static struct asker *restarts;
static pid_t fading[MOST_PROCESSES]; /* of the program before, which still ends beside the new one */
static int fading_count, once_more;
static pid_t faded;        /* the program before itself */
static long long fading_until;

static long long now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1000LL + at.tv_nsec / 1000000;
}

/* --- processes ----------------------------------------------------------------------------------------------------- */

/* Whether anything is left that descends from this process. */
static int reap(void) {
  for (;;) {
    int status;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid == 0) return 1;
    if (pid < 0) return errno == EINTR ? 1 : 0;
    if (pid == faded) faded = 0;
    if (pid == running) {
      running = 0;
      last_status = status;
    }
  }
}

/* Starts the program; 0, or why not. */
static int start(void) {
  int told[2], why = 0;
  for (int attempt = 0; attempt < WRITTEN_RETRIES; attempt++) {
    if (pipe2(told, O_CLOEXEC)) return errno;
    pid_t pid = fork();
    if (pid < 0) {
      why = errno;
      close(told[0]);
      close(told[1]);
      return why;
    }
    if (!pid) {
      setpgid(0, 0);
      for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
      sigset_t none;
      sigemptyset(&none);
      sigprocmask(SIG_SETMASK, &none, NULL);
      execvp(*program, program);
      why = errno;
      if (write(told[1], &why, sizeof why) < 0) _exit(CANNOT_SUPERVISE);
      _exit(CANNOT_START);
    }
    setpgid(pid, pid);
    close(told[1]);
    ssize_t length;
    do length = read(told[0], &why, sizeof why); while (length < 0 && errno == EINTR);
    close(told[0]);
    if (length <= 0) {
      running = pid;
      return 0;
    }
    waitpid(pid, NULL, 0);
    last_status = CANNOT_START << 8;
    if (why != ETXTBSY) return why;
    usleep(BETWEEN_LOOKS * 1000);
  }
  return why;
}

static _Noreturn void leave(void) {
  signal_descendants(SIGKILL);
  exit(WIFSIGNALED(last_status) ? 128 + WTERMSIG(last_status) : WEXITSTATUS(last_status));
}

/* --- answers ------------------------------------------------------------------------------------------------------- */

static void drop(struct asker *asker) {
  if (restarts == asker) restarts = NULL;
  close(asker->fd);
  *asker = (struct asker){.fd = -1};
}

__attribute__((format(printf, 2, 3))) static void answer(struct asker *asker, const char *format, ...) {
  char text[LONGEST_LINE + 2];
  va_list rest;
  va_start(rest, format);
  vsnprintf(text, sizeof text - 1, format, rest);
  va_end(rest);
  strcat(text, "\n");
  if (send(asker->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) drop(asker);
}

static void answer_ended(struct asker *asker) {
  if (WIFSIGNALED(last_status)) answer(asker, "ended signal %d", WTERMSIG(last_status));
  else answer(asker, "ended %d", WEXITSTATUS(last_status));
}

static void tell_waiting(int kept) {
  for (struct asker *each = askers; each < askers + MOST_ASKERS; each++)
    if (each->fd >= 0 && each->waits) {
      each->waits = 0;
      if (kept) answer(each, "kept");
      else answer_ended(each);
    }
}

/* --- a restart ----------------------------------------------------------------------------------------------------- */

static void begin_restart(struct asker *asker, double grace, int overlapping) {
  static pid_t found[MOST_PROCESSES];
  if (restarts) answer(restarts, "failed another restart came");
  restarts = asker;
  in_trial = 1;
  overlaps = overlapping;
  long long until = now() + (long long)(grace * 1000);
  if (stopping) {
    if (!killing && until < deadline) deadline = until;
    return;
  }
  stopping = 1;
  told_rest = killing = once_more = 0;
  deadline = until;
  deaf_at = 0;
  note_listeners(found, descendants(found));
  if (running) {
    kill(-running, stop_signal);
    kill(-running, SIGCONT);
  }
}

static int start_again(void) {
  /* On both: in a log, what one says may come before what the other one said earlier. */
  if (write(STDOUT_FILENO, MARK, sizeof MARK - 1) < 0 || write(STDERR_FILENO, MARK, sizeof MARK - 1) < 0) errno = 0;
  return start();
}

static void end_restart(const char *why) {
  stopping = 0;
  if (!why) {
    int error = start_again();
    if (error) why = strerror(error);
  }
  struct asker *asker = restarts;
  restarts = NULL;
  int lingered = deaf_at && !fading_count ? (int)(now() - deaf_at) : 0;
  if (asker && why) answer(asker, "failed %s", why);
  else if (asker) answer(asker, "started %d %d%s", (int)running, lingered, killing ? " killed" : "");
}

/* What is left of the program before ends beside the new one, in what remains of its grace. */
static void fade(void) {
  int count = 0, nobody;
  for (int i = 0; i < fading_count; i++)
    if (parent_of(fading[i], &nobody)) fading[count++] = fading[i];
  fading_count = count;
  if (now() < fading_until && (faded || told_rest)) return;
  told_rest = 1;
  for (int i = 0; i < count; i++) kill(fading[i], now() < fading_until ? SIGTERM : SIGKILL);
}

/* The new program starts, whatever has not ended yet. */
static void overlap(void) {
  fading_count = descendants(fading);
  if (fading_count < 0) return;
  faded = running;
  running = 0;
  fading_until = deadline;
  told_rest = 0;
  once_more = fading_count > 0;
  end_restart(NULL);
}

/* What is to be done once something has ended, or time has passed. */
static void go_on(void) {
  int left = reap();
  if (stopping && left && !deaf_at && is_deaf()) deaf_at = now();
  if (stopping && !leaves) {
    if (!left) {
      fading_count = 0;
      end_restart(NULL);
    } else if (overlaps && deaf_at && !killing) {
      overlap();
    } else if (now() >= deadline) {
      if (killing) {
        end_restart("what is to end does not, although it was killed");
      } else {
        killing = 1;
        deadline = now() + PATIENCE;
      }
    } else if (!running && !told_rest) {
      told_rest = 1;
      /* What STOP means, only the program knows. */
      signal_descendants(SIGTERM);
    }
    if (killing && stopping) signal_descendants(SIGKILL);
    return;
  }
  if (fading_count) fade();
  if (running) return;
  if (!in_trial || leaves) leave();
  if (once_more) {
    /* What the old one still has may be what it lacked. */
    if (fading_count) return;
    once_more = 0;
    if (!start_again()) return;
  }
  tell_waiting(0);
}

/* --- commands ------------------------------------------------------------------------------------------------------ */

static void obey(struct asker *asker, char *line) {
  double grace;
  if (!strcmp(line, "wait")) {
    if (!in_trial) answer(asker, "kept");
    else if (running || stopping || once_more) asker->waits = 1;
    else answer_ended(asker);
  } else if (!strcmp(line, "keep")) {
    if (stopping) {
      answer(asker, "failed it is being started again");
    } else if (!running) {
      answer_ended(asker);
    } else {
      in_trial = once_more = 0;
      answer(asker, "kept");
      tell_waiting(1);
    }
  } else if (!strcmp(line, "state")) {
    if (stopping) answer(asker, "stopping %d", (int)running);
    else if (!running) answer_ended(asker);
    else answer(asker, "%s %d", in_trial ? "trial" : "running", (int)running);
  } else if ((sscanf(line, "restart %lf", &grace) == 1 || sscanf(line, "overlap %lf", &grace) == 1) && grace >= 0
             && grace <= 1e6) {
    begin_restart(asker, grace, *line == 'o');
    go_on();
  } else {
    answer(asker, "failed no such command");
  }
}

static void hear(struct asker *asker) {
  ssize_t length = recv(asker->fd, asker->line + asker->length, LONGEST_LINE - 1 - asker->length, MSG_DONTWAIT);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (length <= 0) {
    drop(asker);
    return;
  }
  asker->length += (size_t)length;
  asker->line[asker->length] = 0;
  char *end;
  while (asker->fd >= 0 && (end = strchr(asker->line, '\n'))) {
    char line[LONGEST_LINE];
    *end = 0;
    strcpy(line, asker->line);
    memmove(asker->line, end + 1, strlen(end + 1) + 1);
    asker->length = strlen(asker->line);
    obey(asker, line);
  }
  if (asker->fd >= 0 && asker->length == LONGEST_LINE - 1) drop(asker);
}

static void admit(int listening) {
  int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  for (struct asker *each = askers; each < askers + MOST_ASKERS; each++)
    if (each->fd < 0) {
      *each = (struct asker){.fd = fd};
      return;
    }
  close(fd);
}

static void pass_on(int signals) {
  struct signalfd_siginfo told;
  while (read(signals, &told, sizeof told) == sizeof told) {
    int number = (int)told.ssi_signo;
    if (number == SIGCHLD) continue;
    if (number == SIGTERM || number == SIGINT || number == SIGQUIT || number == stop_signal) leaves = 1;
    if (running) kill(running, number);
  }
}

static _Noreturn void supervise(const char *path) {
  for (int i = 0; i < MOST_ASKERS; i++) askers[i].fd = -1;
  sigset_t set = taken();
  /* An ignored SIGCHLD, as a parent may leave it, would reap without a word. */
  signal(SIGCHLD, SIG_DFL);
  sigprocmask(SIG_BLOCK, &set, NULL);
  int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) fail(CANNOT_SUPERVISE, "signals");
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  int listening = listening_at(path);
  if ((errno = start())) fail(CANNOT_START, *program);
  for (;;) {
    struct pollfd polled[MOST_ASKERS + 2] = {{signals, POLLIN, 0}, {listening, POLLIN, 0}};
    struct asker *whose[MOST_ASKERS];
    nfds_t count = 2;
    for (struct asker *each = askers; each < askers + MOST_ASKERS; each++)
      if (each->fd >= 0) {
        whose[count - 2] = each;
        polled[count++] = (struct pollfd){each->fd, POLLIN, 0};
      }
    long long left = stopping ? deadline - now() : -1;
    int looks = stopping ? killing || !running || (listening_count && !deaf_at) : fading_count;
    if (looks && (left < 0 || left > BETWEEN_LOOKS)) left = BETWEEN_LOOKS;
    if (stopping && left < 0) left = 0;
    if (poll(polled, count, (int)left) < 0 && errno != EINTR) fail(CANNOT_SUPERVISE, "poll");
    pass_on(signals);
    go_on();
    for (nfds_t i = 2; i < count; i++)
      if (polled[i].revents && whose[i - 2]->fd == polled[i].fd) hear(whose[i - 2]);
    if (polled[1].revents) admit(listening);
  }
}

int main(int count, char **words) {
  if (count >= 4 && !strcmp(words[1], "ask")) return ask(words[2], words + 3);
  int given = count >= 4 && strcmp(words[2], "--") ? 3 : 2;
  if (count < given + 2 || strcmp(words[given], "--")) {
    fputs("usage: live SOCKET [STOP] -- PROGRAM [ARGUMENT…], live ask SOCKET COMMAND…\n", stderr);
    return CANNOT_SUPERVISE;
  }
  if (given == 3) stop_signal = signal_of(words[2]);
  program = words + given + 1;
  supervise(words[1]);
}
