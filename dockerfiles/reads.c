/* What was read when units compiled, and whether it is still so.
 *
 *   reads settle SOURCES TREE NOTES    take what trace noted over into NOTES/known, as it was in TREE
 *   reads stale SOURCES TREE NOTES SENT
 *                                      units whose reads differ in TREE, a line each:
 *                                      <rustc|script> <root | OUT_DIR> <crate> <stat|open|opaque> <path>, tab-separated;
 *                                      and a line with `move` for each file that one left otherwise than it was SENT
 *   reads list SOURCES TREE NOTES      what all units read, once: <crate> <stat|open|opaque> <path>, tab-separated;
 *                                      roots of crates and OUT_DIRs that belong to it come on standard input
 * TREE is a listing of what SOURCES holds: lines of `f|x|l <sha256>  <path>`.
 * NOTES/known: as NOTES/log, with the value of each read at the end of its line. A value is one of the content of a
 * file, of the names and kinds in a folder that was listed, of the symbolic links on the way; or that there is nothing.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "texts.h"

enum {
  KIND_AND_SUM = 68,         /* what stands before a path in TREE */
  MOST_KNOWN = 16 << 20      /* bytes of NOTES/known */
};

struct folder { uint64_t names; };
struct read { struct read *next; char *kind, *path; uint64_t value; };
struct unit { struct unit *next; char *name, *kind, *crate, *root; struct read *reads; };

static const char *sources, *notes;
static struct set files, folders; /* path -> line of TREE; path -> struct folder */
static struct unit *units;
static uint64_t whole_tree;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

/* --- the tree ------------------------------------------------------------------------------------------------------ */

/* Counts a path to its folder, and that one to its own. `kind`: f, x, l, d. */
static void enter(const char *path, char kind) {
  for (char *at = checked(strdup(path));; kind = 'd') {
    char *slash = strrchr(at, '/');
    char *named = text("%c%s", kind, slash ? slash + 1 : at);
    uint64_t name = hash_of(named);
    free(named);
    if (slash) *slash = 0; else *at = 0;
    int known = !is_new(&folders, at);
    void **value = value_of(&folders, at);
    if (!known) *value = checked(calloc(1, sizeof(struct folder)));
    /* A sum does not depend on the order. */
    ((struct folder *)*value)->names += name;
    if (known || !*at) {
      free(at);
      return;
    }
  }
}

static void load_tree(const char *path) {
  FILE *file = fopen(path, "r");
  if (!file) fail(path);
  char *line = NULL;
  size_t capacity = 0;
  for (ssize_t length; (length = getline(&line, &capacity, file)) > KIND_AND_SUM;) {
    line[length - 1] = 0;
    whole_tree += hash_of(line);
    is_new(&files, line + KIND_AND_SUM);
    *value_of(&files, line + KIND_AND_SUM) = checked(strndup(line, KIND_AND_SUM));
    enter(line + KIND_AND_SUM, *line);
  }
  free(line);
  fclose(file);
}

/* What one finds at a path below the sources, through symbolic links as the kernel goes through them. */
static uint64_t value_at(const char *kind, const char *path) {
  if (!strcmp(kind, "opaque")) return whole_tree;
  char here[PATH_MAX] = "", rest[2 * PATH_MAX], target[PATH_MAX];
  uint64_t passed = 0;
  snprintf(rest, sizeof rest, "%s", path);
  for (int links = 0; *rest;) {
    size_t length = strcspn(rest, "/");
    char part[PATH_MAX];
    snprintf(part, sizeof part, "%.*s", (int)length, rest);
    memmove(rest, rest + length + (rest[length] == '/'), strlen(rest + length + (rest[length] == '/')) + 1);
    if (!*part || !strcmp(part, ".")) continue;
    char *slash = strrchr(here, '/');
    if (!strcmp(part, "..")) {
      if (!*here) return passed ^ hash_of("outside");
      if (slash) *slash = 0; else *here = 0;
      continue;
    }
    size_t before = strlen(here);
    snprintf(here + before, sizeof here - before, "%s%s", before ? "/" : "", part);
    void **entry = value_of(&files, here);
    if (!entry && !value_of(&folders, here)) return passed ^ hash_of("nothing");
    if (!entry) continue;
    char *line = *entry;
    if (*line != 'l') return passed ^ hash_of(*rest ? "nothing" : line);
    passed = passed * 31 + hash_of(line);
    char *link = text("%s/%s", sources, here);
    ssize_t got = readlink(link, target, sizeof target - 1);
    free(link);
    if (got < 0 || ++links > 40) return passed ^ hash_of("nothing");
    target[got] = 0;
    here[before] = 0;
    const char *to = target;
    if (*target == '/') {
      size_t top = strlen(sources);
      if (strncmp(target, sources, top) || (target[top] && target[top] != '/')) return passed ^ hash_of("outside");
      to = target + top;
      *here = 0;
    }
    char *joined = text("%s/%s", to, rest);
    snprintf(rest, sizeof rest, "%s", joined);
    free(joined);
  }
  if (strcmp(kind, "open")) return passed ^ hash_of("folder");
  void **folder = value_of(&folders, here);
  return passed ^ hash_of("listed") ^ (folder ? ((struct folder *)*folder)->names : 0);
}

/* --- what is known ------------------------------------------------------------------------------------------------- */

static struct unit *unit_named(const char *name) {
  static struct set index;
  int fresh = is_new(&index, name);
  void **value = value_of(&index, name);
  if (fresh) {
    struct unit *made = checked(calloc(1, sizeof *made));
    made->next = units;
    made->name = checked(strdup(name));
    *value = units = made;
  }
  return *value;
}

/* Reads a file of notes. `valued`: each read has its value; else it gets that of the tree. */
static void load(const char *name, int valued) {
  char *path = text("%s/%s", notes, name), *line = NULL;
  FILE *file = fopen(path, "r");
  free(path);
  if (!file) return;
  size_t capacity = 0;
  for (ssize_t length; (length = getline(&line, &capacity, file)) > 0;) {
    if (line[length - 1] != '\n') break; /* its writer was killed */
    line[length - 1] = 0;
    char *at = line, *kind = strsep(&at, "\t"), *owner = strsep(&at, "\t");
    if (!at) continue;
    struct unit *unit = unit_named(owner);
    if (!strcmp(kind, "unit")) {
      unit->kind = checked(strdup(strsep(&at, "\t")));
      unit->crate = checked(strdup(at ? strsep(&at, "\t") : ""));
      unit->root = checked(strdup(at ? at : ""));
      unit->reads = NULL; /* what an earlier run of it read counts no longer */
      continue;
    }
    uint64_t value = 0;
    if (valued) {
      char *figure = strrchr(at, '\t');
      if (!figure) continue;
      *figure = 0;
      value = strtoull(figure + 1, NULL, 16);
    }
    struct read *made = checked(malloc(sizeof *made));
    *made = (struct read){unit->reads, checked(strdup(kind)), checked(strdup(at)), valued ? value : value_at(kind, at)};
    unit->reads = made;
  }
  free(line);
  fclose(file);
}

/* Whether so much is known that what is about crates and build scripts of other branches goes. */
static int is_too_much(const char *known) {
  struct stat found;
  return !stat(known, &found) && found.st_size > MOST_KNOWN;
}

/* Whether a unit stands for one of which nothing was known (reads.sh: unrecorded), and one of its root is known now. */
static int is_replaced(const struct unit *unit) {
  if (strncmp(unit->name, "? ", 2)) return 0;
  for (const struct unit *other = units; other; other = other->next)
    if (other->kind && strncmp(other->name, "? ", 2) && !strcmp(other->kind, unit->kind) && !strcmp(other->root, unit->root))
      return 1;
  return 0;
}

static void settle(void) {
  char *known = text("%s/known", notes), *part = text("%s/known.part", notes), *log = text("%s/log", notes);
  load("known", 1);
  load("log", 0);
  FILE *file = fopen(part, "w");
  if (!file) fail(part);
  int shorten = is_too_much(known);
  for (struct unit *unit = units; unit; unit = unit->next) {
    if (!unit->kind || (shorten && access(unit->root, F_OK)) || is_replaced(unit)) continue;
    fprintf(file, "unit\t%s\t%s\t%s\t%s\n", unit->name, unit->kind, unit->crate, unit->root);
    for (struct read *read = unit->reads; read; read = read->next)
      fprintf(file, "%s\t%s\t%s\t%llx\n", read->kind, unit->name, read->path, (unsigned long long)read->value);
  }
  if (fclose(file) || rename(part, known)) fail(known);
  unlink(log);
}

static int same_content(const char *one, const char *other) {
  FILE *files[] = {fopen(one, "r"), fopen(other, "r")};
  int same = files[0] && files[1];
  while (same) {
    char here[65536], there[65536];
    size_t length = fread(here, 1, sizeof here, files[0]);
    if (fread(there, 1, sizeof there, files[1]) != length || memcmp(here, there, length)) same = 0;
    if (length < sizeof here) break;
  }
  if (files[0]) fclose(files[0]);
  if (files[1]) fclose(files[1]);
  return same;
}

/* What a unit wrote, moved or removed is there for it again when it runs again; until then, others need what it left. */
static void tell_moved(const struct unit *unit, const char *sent) {
  for (struct read *read = unit->reads; read; read = read->next) {
    if (strcmp(read->kind, "move") || !value_of(&files, read->path)) continue;
    char *here = text("%s/%s", sources, read->path), *there = text("%s/%s", sent, read->path);
    if (!same_content(here, there))
      printf("%s\t%s\t%s\tmove\t%s\n", unit->kind, unit->root, unit->crate, read->path);
    free(here);
    free(there);
  }
}

static void stale(const char *sent) {
  load("known", 1);
  for (struct unit *unit = units; unit; unit = unit->next) {
    struct read *read = unit->reads;
    while (read && read->value == value_at(read->kind, read->path)) read = read->next;
    if (read && unit->kind) printf("%s\t%s\t%s\t%s\t%s\n", unit->kind, unit->root, unit->crate, read->kind, read->path);
    if (unit->kind) tell_moved(unit, sent);
  }
}

static void list(void) {
  struct set roots = {0}, told = {0};
  char *line = NULL;
  size_t capacity = 0;
  for (ssize_t length; (length = getline(&line, &capacity, stdin)) > 0;) {
    if (line[length - 1] == '\n') line[length - 1] = 0;
    is_new(&roots, line);
  }
  free(line);
  load("known", 1);
  for (struct unit *unit = units; unit; unit = unit->next) {
    if (!unit->kind || !value_of(&roots, unit->root)) continue;
    for (struct read *read = unit->reads; read; read = read->next) {
      if (!strcmp(read->kind, "move")) continue; /* it is among those read, too */
      char *said = text("%s\t%s\t%s", unit->crate, read->kind, read->path);
      if (is_new(&told, said)) puts(said);
      free(said);
    }
  }
}

int main(int argc, char **argv) {
  if (argc < 5) return fputs("usage: reads settle|stale|list SOURCES TREE NOTES [SENT]\n", stderr), 2;
  sources = argv[2];
  notes = argv[4];
  load_tree(argv[3]);
  if (!strcmp(argv[1], "settle")) settle();
  else if (!strcmp(argv[1], "stale") && argc == 6) stale(argv[5]);
  else if (!strcmp(argv[1], "list")) list();
  return 0;
}
