/* The console's commands about slab caches. */
#include "mm/heap/slab.h"

#include "lib/print.h"
#include "lib/string.h"
#include "monitor/arguments.h"
#include "monitor/command.h"

/* What the objects of a cache made with `ctor` look like while nobody has them. */
enum { CONSTRUCTED = 0xC5 };

static uint32_t constructed, destructed; /* objects, in all caches */

static void construct(void *object, size_t size)
{
    memset(object, CONSTRUCTED, size);
    constructed++;
}

static void destruct(void *object __attribute__((unused)), size_t size __attribute__((unused)))
{
    destructed++;
}

/* NULL when there is none; that has been answered. */
static struct slab_cache *find(const char *name)
{
    struct slab_cache *cache = slab_cache_find(name);
    if (!cache)
        answer_error("state", "no cache %s", name);
    return cache;
}

/* Options from argv[4] on; false when they have been answered to. */
static bool parse_options(int argc, char **argv, struct slab_options *options)
{
    for (int i = 4; i < argc; i++) {
        uint32_t align;
        if (strcmp(argv[i], "align") == 0 && i + 1 < argc) {
            if (!parse_number(argv[++i], &align))
                return false;
            options->align = align;
        } else if (strcmp(argv[i], "debug") == 0) {
            options->flags |= SLAB_DEBUG;
        } else if (strcmp(argv[i], "nogrow") == 0) {
            options->flags &= ~SLAB_GROW;
        } else if (strcmp(argv[i], "ctor") == 0) {
            options->construct = construct;
            options->destruct = destruct;
        } else {
            answer_error("usage", "%s: align N, debug, nogrow or ctor", argv[i]);
            return false;
        }
    }
    return true;
}

static void create(int argc, char **argv)
{
    uint32_t size;
    struct slab_options options = {.name = argv[2], .flags = SLAB_GROW};
    if (!expect_arguments(argc, argv, 4, 9) || !parse_number(argv[3], &size) ||
        !parse_options(argc, argv, &options))
        return;
    options.size = size;
    const char *wrong = slab_options_check(&options);
    const struct slab_cache *cache = slab_cache_create(&options);
    if (wrong)
        answer_error("range", "%s", wrong);
    else if (cache)
        answer_ok("cache=0x%08x pitch=%u capacity=%u", (unsigned)(uintptr_t)cache, cache->pitch,
                  cache->capacity);
    else
        answer_error("memory", "no room for the record of a cache");
}

static void alloc(struct slab_cache *cache)
{
    void *object = slab_alloc(cache);
    if (object)
        answer_ok("virtual=0x%08x", (unsigned)(uintptr_t)object);
    else
        answer_error("memory", "no object of cache %s", cache->name);
}

static void show(struct slab_cache *cache)
{
    answer_ok("size=%u pitch=%u first=%u capacity=%u slabs=%u live=%u failures=%u constructed=%u "
              "destructed=%u",
              cache->size, cache->pitch, cache->first, cache->capacity, cache->slabs, cache->live,
              cache->failures, constructed, destructed);
}

static void grow(struct slab_cache *cache)
{
    if (slab_grow(cache))
        answer_ok("slabs=%u", cache->slabs);
    else
        answer_error("memory", "no frame for a slab");
}

static void reap(struct slab_cache *cache)
{
    answer_ok("frames=%u", slab_reap(cache));
}

static void destroy(struct slab_cache *cache)
{
    if (slab_cache_destroy(cache))
        answer_ok("destroyed=1");
    else
        answer_error("state", "%u objects are live, or the caches' own records", cache->live);
}

static void release(const char *name, const char *address)
{
    uint32_t virtual;
    struct slab_cache *cache = parse_number(address, &virtual) ? find(name) : NULL;
    if (!cache)
        return;
    slab_free(cache, (void *)(uintptr_t)virtual);
    answer_ok("virtual=0x%08x", virtual);
}

static void check(const char *name, const char *address)
{
    uint32_t virtual;
    struct slab_cache *cache = parse_number(address, &virtual) ? find(name) : NULL;
    if (!cache)
        return;
    const char *wrong = slab_check(cache, (const void *)(uintptr_t)virtual);
    if (wrong)
        answer_error("state", "0x%08x: %s", virtual, wrong);
    else
        answer_ok("virtual=0x%08x", virtual);
}

static void owner(const char *address)
{
    uint32_t virtual;
    void *object;
    bool live;
    if (!parse_number(address, &virtual))
        return;
    const struct slab_cache *cache = slab_owner((const void *)(uintptr_t)virtual, &object, &live);
    if (cache)
        answer_ok("cache=%s object=0x%08x state=%s", cache->name, (unsigned)(uintptr_t)object,
                  live ? "live" : "free");
    else
        answer_error("state", "0x%08x is in no cache's object", virtual);
}

/* As many names as fit on a line. */
static void list(void)
{
    char names[512] = "";
    size_t length = 0, count = 0;
    list_for_each(node, &slab_caches)
    {
        const struct slab_cache *cache = list_entry(node, struct slab_cache, list);
        if (length + strlen(cache->name) + 2 < sizeof(names))
            length += ksnprintf(names + length, sizeof(names) - length, "%s%s", count ? "," : "",
                                cache->name);
        count++;
    }
    answer_ok("caches=%u names=%s", (unsigned)count, names);
}

/* Subcommands about a cache that stands behind them. */
static bool run_about_cache(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(struct slab_cache *cache);
    } about[] = {
        {"alloc", alloc}, {"grow", grow}, {"reap", reap}, {"destroy", destroy}, {"show", show}};
    for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(about); i++) {
        if (strcmp(argv[1], about[i].name) == 0) {
            struct slab_cache *cache = find(argv[2]);
            if (cache)
                about[i].run(cache);
            return true;
        }
    }
    return false;
}

MONITOR_COMMAND(
    slab,
    "create NAME SIZE [align N] [debug] [nogrow] [ctor] | "
    "alloc|grow|reap|destroy|show NAME | free|check NAME VIRTUAL | owner VIRTUAL | list",
    "caches of small objects")
{
    if (!expect_arguments(argc, argv, 2, 9) || run_about_cache(argc, argv))
        return;
    if (argc >= 4 && strcmp(argv[1], "create") == 0)
        create(argc, argv);
    else if (argc == 4 && strcmp(argv[1], "free") == 0)
        release(argv[2], argv[3]);
    else if (argc == 4 && strcmp(argv[1], "check") == 0)
        check(argv[2], argv[3]);
    else if (argc == 3 && strcmp(argv[1], "owner") == 0)
        owner(argv[2]);
    else if (argc == 2 && strcmp(argv[1], "list") == 0)
        list();
    else
        answer_error("usage", "slab %s is not known so: help slab", argv[1]);
}
