/* Gives a file the content of another one, and writes no block that is the same: two programs of a few edits between them
 * differ in little, and a program with its debugging information may have hundreds of megabytes.
 *
 *   overwrite FROM TO NAME    then TO gets that name. Fails where TO is a program that runs, has a second name, or is no
 *                             file that may be written
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCK = 4096, AT_ONCE = 64 * BLOCK, WORTH_TWO = 128 * AT_ONCE }; /* bytes */

static char wanted[AT_ONCE], present[AT_ONCE];

/* As many bytes as there are, up to AT_ONCE; -1 for an error. */
static ssize_t read_at(int file, char *into, off_t at) {
  ssize_t length = 0, got;
  while (length < AT_ONCE && (got = pread(file, into + length, (size_t)(AT_ONCE - length), at + length)) > 0) length += got;
  return got < 0 ? -1 : length;
}

static int write_at(int file, const char *from, size_t length, off_t at) {
  for (ssize_t put; length; from += put, at += put, length -= (size_t)put)
    if ((put = pwrite(file, from, length, at)) <= 0) return 0;
  return 1;
}

static int differs(ssize_t block, ssize_t length, ssize_t had) {
  size_t size = (size_t)(length - block < BLOCK ? length - block : BLOCK);
  return block + (ssize_t)size > had || memcmp(wanted + block, present + block, size);
}

/* What lies from AT on, up to END. */
static int overwrite(int from, int to, off_t at, off_t end) {
  for (ssize_t length, had; at < end; at += length) {
    if ((length = read_at(from, wanted, at)) <= 0 || (had = read_at(to, present, at)) < 0) return 0;
    for (ssize_t block = 0, same; block < length; block = same + BLOCK) {
      for (same = block; same < length && differs(same, length, had); same += BLOCK) {}
      ssize_t stop = same < length ? same : length;
      if (stop > block && !write_at(to, wanted + block, (size_t)(stop - block), at + block)) return 0;
    }
  }
  return 1;
}

int main(int count, char **words) {
  if (count != 4) return 2;
  int from = open(words[1], O_RDONLY), to = open(words[2], O_RDWR);
  struct stat new, old;
  if (from < 0 || to < 0 || fstat(from, &new) || fstat(to, &old)) return 1;
  if (!S_ISREG(old.st_mode) || old.st_nlink != 1 || ftruncate(to, new.st_size)) return 1;
  off_t middle = new.st_size < WORTH_TWO ? 0 : new.st_size / 2 / AT_ONCE * AT_ONCE;
  pid_t other = middle ? fork() : 0;
  if (other < 0) return 1;
  if (middle && !other) _exit(!overwrite(from, to, 0, middle));
  int done = overwrite(from, to, middle, new.st_size), status = 0;
  if (other && waitpid(other, &status, 0) < 0) return 1;
  return !done || status || fchmod(to, new.st_mode & 07777) || rename(words[2], words[3]);
}
