/* Telling who wrote where nobody may. */
#include "mm/heap/slab_debug.h"

#include "lib/panic.h"
#include "lib/print.h"
#include "lib/string.h"

/* Between the object's end and its bufctl. */
static size_t red_zone_behind(const struct slab_cache *cache)
{
    return cache->bufctl - cache->size;
}

static bool poisoned(const struct slab_cache *cache)
{
    return !cache->construct;
}

void slab_debug_poison(const struct slab_cache *cache, void *object)
{
    memset(object, SLAB_POISON, cache->size);
}

void slab_debug_fill(const struct slab_cache *cache, void *object)
{
    char *start = object;
    memset(start - cache->first, SLAB_RED_ZONE, cache->first);
    memset(start + cache->size, SLAB_RED_ZONE, red_zone_behind(cache));
    if (poisoned(cache))
        slab_debug_poison(cache, object);
}

/* The first byte that is not the pattern, or `length`. */
static size_t first_other(const uint8_t *bytes, size_t length, uint8_t pattern)
{
    size_t at = 0;
    while (at < length && bytes[at] == pattern)
        at++;
    return at;
}

static const char *say(size_t number, const char *where, uint8_t found, uint8_t wanted)
{
    static char words[80];
    ksnprintf(words, sizeof(words), "byte %u %s is 0x%02x, not 0x%02x: written by somebody else",
              (unsigned)number, where, found, wanted);
    return words;
}

const char *slab_debug_check(const struct slab_cache *cache, const void *object, bool live)
{
    const uint8_t *start = object, *end = start + cache->size, *front = start - cache->first;
    size_t at = first_other(front, cache->first, SLAB_RED_ZONE);
    if (at < cache->first)
        return say(cache->first - at, "before its start", front[at], SLAB_RED_ZONE);
    at = first_other(end, red_zone_behind(cache), SLAB_RED_ZONE);
    if (at < red_zone_behind(cache))
        return say(at, "behind its end", end[at], SLAB_RED_ZONE);
    if (live || !poisoned(cache))
        return NULL;
    at = first_other(start, cache->size, SLAB_POISON);
    return at < cache->size ? say(at, "of it, which is free,", start[at], SLAB_POISON) : NULL;
}

void slab_debug_require(const struct slab_cache *cache, const void *object, bool live)
{
    const char *wrong = slab_debug_check(cache, object, live);
    if (wrong)
        panic("slab: %s: 0x%08x: %s", cache->name, (unsigned)(uintptr_t)object, wrong);
}
