/* Where the program that is to end listens: sockets of the processes that are named, in this network namespace. */
enum { MOST_SOCKETS = 8192 };

static unsigned long open_sockets[MOST_SOCKETS]; /* inodes */
static int open_count;

/* Calls `each` for the inode of every TCP socket that listens and every UDP socket that is bound. */
static void for_listeners(void (*each)(unsigned long)) {
  static const struct { const char *path; unsigned state; } TABLES[] = {
    {"/proc/self/net/tcp", 0x0a}, {"/proc/self/net/tcp6", 0x0a}, {"/proc/self/net/udp", 7}, {"/proc/self/net/udp6", 7}};
  for (size_t i = 0; i < sizeof TABLES / sizeof *TABLES; i++) {
    FILE *table = fopen(TABLES[i].path, "re");
    char line[512];
    while (table && fgets(line, sizeof line, table)) {
      unsigned state;
      unsigned long inode;
      /* sl local remote st tx:rx tr:when retransmitted uid timeout inode */
      if (sscanf(line, "%*s %*s %*s %x %*s %*s %*s %*s %*s %lu", &state, &inode) == 2 && state == TABLES[i].state) each(inode);
    }
    if (table) fclose(table);
  }
}

static int is_open(unsigned long inode) {
  for (int i = 0; i < open_count; i++)
    if (open_sockets[i] == inode) return 1;
  return 0;
}

/* Whether one of the open sockets listens at a place in the file system: who removes that in the end would remove it from
 * the new program. */
static int one_is_named(void) {
  FILE *table = fopen("/proc/self/net/unix", "re");
  char line[512], start;
  int found = 0;
  while (table && !found && fgets(line, sizeof line, table)) {
    unsigned flags;
    unsigned long inode;
    /* Num RefCount Protocol Flags Type St Inode Path; the flag is that of a socket that accepts */
    found = sscanf(line, "%*s %*s %*s %x %*s %*s %lu %c", &flags, &inode, &start) == 3 && flags & 0x10000 && start != '@'
            && is_open(inode);
  }
  if (table) fclose(table);
  return found;
}

static unsigned long listening[MOST_SOCKETS];
static int listening_count;

static void note_listener(unsigned long inode) {
  if (is_open(inode) && listening_count < MOST_SOCKETS) listening[listening_count++] = inode;
}

static int still_listening;

static void look_for_listener(unsigned long inode) {
  for (int i = 0; i < listening_count; i++) still_listening |= listening[i] == inode;
}

/* Notes where these processes listen. */
static void note_listeners(const pid_t *pids, int count) {
  open_count = listening_count = 0;
  for (int i = 0; i < count; i++) {
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pids[i]);
    DIR *opened = opendir(path);
    for (struct dirent *entry; opened && open_count < MOST_SOCKETS && (entry = readdir(opened));) {
      char target[64];
      ssize_t length = readlinkat(dirfd(opened), entry->d_name, target, sizeof target - 1);
      if (length <= 0) continue;
      target[length] = 0;
      if (sscanf(target, "socket:[%lu]", &open_sockets[open_count]) == 1) open_count++;
    }
    if (opened) closedir(opened);
  }
  /* There may be more. */
  if (open_count == MOST_SOCKETS) return;
  if (!one_is_named()) for_listeners(note_listener);
}

/* Whether none of what was noted listens any more; never where nothing was. */
static int is_deaf(void) {
  if (!listening_count) return 0;
  still_listening = 0;
  for_listeners(look_for_listener);
  return !still_listening;
}
