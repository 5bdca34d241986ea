/* Signals as an image names them, and those that the supervisor passes on. */
static const struct { const char *name; int number; } NAMED[] = {
  {"HUP", SIGHUP}, {"INT", SIGINT}, {"QUIT", SIGQUIT}, {"KILL", SIGKILL}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2},
  {"ALRM", SIGALRM}, {"TERM", SIGTERM}, {"WINCH", SIGWINCH}, {"CONT", SIGCONT}, {"PWR", SIGPWR}, {"IO", SIGIO},
};

/* As an image writes it: a number, SIGINT, INT, SIGRTMIN+3. */
static int signal_of(const char *text) {
  if (isdigit((unsigned char)*text)) return atoi(text);
  if (!strncasecmp(text, "SIG", 3)) text += 3;
  if (!strncasecmp(text, "RTMIN+", 6)) return SIGRTMIN + atoi(text + 6);
  if (!strncasecmp(text, "RTMAX-", 6)) return SIGRTMAX - atoi(text + 6);
  for (size_t i = 0; i < sizeof NAMED / sizeof *NAMED; i++)
    if (!strcasecmp(text, NAMED[i].name)) return NAMED[i].number;
  return SIGTERM;
}

/* All but those by which the kernel tells that this program itself is wrong. */
static sigset_t taken(void) {
  static const int OWN[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};
  sigset_t set;
  sigfillset(&set);
  for (size_t i = 0; i < sizeof OWN / sizeof *OWN; i++) sigdelset(&set, OWN[i]);
  return set;
}
