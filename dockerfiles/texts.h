/* What trace.c and reads.c share: texts, and a set of them. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void *checked(void *pointer) {
  if (!pointer) perror("out of memory"), exit(125);
  return pointer;
}

__attribute__((format(printf, 1, 2))) static inline char *text(const char *format, ...) {
  va_list values;
  char *made = NULL;
  va_start(values, format);
  if (vasprintf(&made, format, values) < 0) checked(NULL);
  va_end(values);
  return made;
}

static inline uint64_t hash_of(const char *word) {
  uint64_t hash = 14695981039346656037u; /* FNV-1a */
  for (; *word; word++) hash = (hash ^ (unsigned char)*word) * 1099511628211u;
  return hash;
}

/* A map from texts to whatever; a set, where the values are not used. */
struct set { char **words; void **values; size_t capacity, count; };

static inline size_t place_in(const struct set *set, const char *word) {
  size_t at = hash_of(word) & (set->capacity - 1);
  while (set->words[at] && strcmp(set->words[at], word)) at = (at + 1) & (set->capacity - 1);
  return at;
}

/* The place of the value of a word; NULL if the word is not there. */
static inline void **value_of(const struct set *set, const char *word) {
  if (!set->capacity) return NULL;
  size_t at = place_in(set, word);
  return set->words[at] ? &set->values[at] : NULL;
}

/* Whether the word was not there; it is now. */
static inline int is_new(struct set *set, const char *word) {
  if (2 * set->count >= set->capacity) {
    struct set wider = {.capacity = set->capacity ? 2 * set->capacity : 1024, .count = set->count};
    wider.words = checked(calloc(wider.capacity, sizeof *wider.words));
    wider.values = checked(calloc(wider.capacity, sizeof *wider.values));
    for (size_t i = 0; i < set->capacity; i++) {
      if (!set->words[i]) continue;
      size_t at = place_in(&wider, set->words[i]);
      wider.words[at] = set->words[i];
      wider.values[at] = set->values[i];
    }
    free(set->words);
    free(set->values);
    *set = wider;
  }
  size_t at = place_in(set, word);
  if (set->words[at]) return 0;
  set->words[at] = checked(strdup(word));
  set->count++;
  return 1;
}
