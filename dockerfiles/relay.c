/* Passes on what cargo prints until the build has succeeded. Then cargo still takes some time to end, 50 ms where it knows
 * 400 packages, and prints a word or two more: nobody waits for that, and all others come first.
 *
 *   relay FILE CARGO    CARGO: its process. Messages (standard input) go to FILE, what is for people (descriptor 3) to
 *                       standard error, by whole lines: what others print there is never joined to a half of one.
 *                       Ends with 0 as soon as cargo says that the build has succeeded, else with 1 when it ends
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char FINISHED[] = "{\"reason\":\"build-finished\",\"success\":";
enum { MARK = sizeof FINISHED - 1, VERDICT = 4 }; /* bytes of it, and of `true` */
enum { LEAST = 19 };                              /* of what the kernel shares among processes */
enum { WORDS = 3 }; /* the descriptor of what is for people */

static char start[MARK + VERDICT]; /* of the present message */
static size_t known;
static char words[65536]; /* those for people that are not passed on yet */
static size_t have;

static int put(int file, const char *data, size_t length) {
  for (ssize_t more; length > 0; data += more, length -= (size_t)more)
    if ((more = write(file, data, length)) <= 0) return -1;
  return 0;
}

/* Whether a piece of the messages says that the build has succeeded. */
static int succeeded(const char *piece, size_t length) {
  for (const char *at = piece; at < piece + length; at++) {
    if (known < sizeof start) start[known++] = *at;
    if (*at != '\n') continue;
    if (known == sizeof start && !memcmp(start, FINISHED, MARK) && !memcmp(start + MARK, "true", VERDICT)) return 1;
    known = 0;
  }
  return 0;
}

/* Passes on lines that are whole; a bar of progress ends with \r. Whether there may be more. */
static int pass_on(void) {
  ssize_t length = read(WORDS, words + have, sizeof words - have);
  if (length > 0) have += (size_t)length;
  size_t whole = have;
  while (whole > 0 && words[whole - 1] != '\n' && words[whole - 1] != '\r') whole--;
  if (whole == 0 && have == sizeof words) whole = have;
  put(STDERR_FILENO, words, whole);
  memmove(words, words + whole, have -= whole);
  return length > 0;
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  int file = open(arguments[1], O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file < 0) return 2;
  struct pollfd from[] = {{STDIN_FILENO, POLLIN, 0}, {WORDS, POLLIN, 0}};
  int success = 0;
  char piece[65536];
  for (ssize_t length; !success;) {
    if (poll(from, 2, -1) < 0) return perror("poll"), 2;
    if (from[1].revents && !pass_on()) from[1].fd = -1;
    if (!from[0].revents) continue;
    if ((length = read(STDIN_FILENO, piece, sizeof piece)) <= 0) break;
    if (put(file, piece, (size_t)length)) return perror(arguments[1]), 2;
    success = succeeded(piece, (size_t)length);
  }
  if (success) setpriority(PRIO_PROCESS, (id_t)atoi(arguments[2]), LEAST);
  /* What it has said by now, and no more: who else has its standard error is not waited for. */
  while (poll(&from[1], 1, 0) > 0 && pass_on()) {}
  if (!success) put(STDERR_FILENO, words, have);
  return !success;
}
