/* The socket that the supervisor listens on, and who asks there. */
static struct sockaddr_un address_of(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    fail(CANNOT_SUPERVISE, path);
  }
  strcpy(address.sun_path, path);
  return address;
}

static int listening_at(const char *path) {
  struct sockaddr_un address = address_of(path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  /* The container was started before. */
  unlink(path);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address)) fail(CANNOT_SUPERVISE, path);
  /* The workshop is another user. */
  if (chmod(path, 0666) || listen(fd, MOST_ASKERS)) fail(CANNOT_SUPERVISE, path);
  return fd;
}

static int ask(const char *path, char **words) {
  struct sockaddr_un address = address_of(path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) return 1;
  char line[LONGEST_LINE] = "";
  for (; *words; words++) {
    if (strlen(line) + strlen(*words) + 2 >= sizeof line) return 1;
    if (*line) strcat(line, " ");
    strcat(line, *words);
  }
  strcat(line, "\n");
  if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0) return 1;
  size_t length = 0;
  while (length < sizeof line - 1 && !memchr(line, '\n', length)) {
    ssize_t more = recv(fd, line + length, sizeof line - 1 - length, 0);
    if (more < 0 && errno == EINTR) continue;
    if (more <= 0) return 1;
    length += (size_t)more;
  }
  return fwrite(line, 1, length, stdout) == length && !fflush(stdout) ? 0 : 1;
}
