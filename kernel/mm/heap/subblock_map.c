/* The byte map at the start of a block of sub-blocks: search, colours, and where a run ends. */
#include "mm/heap/subblock_map.h"

#include "lib/string.h"

void subblock_map_init(const struct subblock_map *map)
{
    memset(map->values, SUBBLOCK_METADATA, map->metadata);
    memset(map->values + map->metadata, SUBBLOCK_FREE, map->count - map->metadata);
    *map->longest = map->count - map->metadata;
}

/* First fit. 0 when there is none: the first sub-block is metadata always. */
static uint32_t find_free(const struct subblock_map *map, uint32_t wanted)
{
    uint32_t run = 0, longest = 0;
    for (uint32_t i = map->metadata; i < map->count; i++) {
        run = map->values[i] == SUBBLOCK_FREE ? run + 1 : 0;
        if (run == wanted)
            return i + 1 - wanted;
        if (run > longest)
            longest = run;
    }
    *map->longest = longest;
    return 0;
}

/* The smallest colour that neither neighbour has; free ones and metadata have none. */
static uint8_t colour_between(uint8_t left, uint8_t right)
{
    uint8_t colour = SUBBLOCK_COLOUR;
    while (colour == left || colour == right)
        colour++;
    return colour;
}

uint32_t subblock_map_alloc(const struct subblock_map *map, uint32_t wanted)
{
    uint32_t first = wanted <= *map->longest ? find_free(map, wanted) : 0;
    if (!first)
        return 0;
    uint32_t end = first + wanted;
    uint8_t right = end < map->count ? map->values[end] : SUBBLOCK_FREE;
    memset(map->values + first, colour_between(map->values[first - 1], right), wanted);
    return first;
}

/* The first sub-block from `first` on that has another value. */
static uint32_t run_end(const struct subblock_map *map, uint32_t first)
{
    uint32_t end = first + 1;
    while (end < map->count && map->values[end] == map->values[first])
        end++;
    return end;
}

/* A run of free sub-blocks goes on in both directions from the one that has just become free. */
static void note_free_run(const struct subblock_map *map, uint32_t first)
{
    uint32_t start = first, end = run_end(map, first);
    while (map->values[start - 1] == SUBBLOCK_FREE)
        start--;
    if (end - start > *map->longest)
        *map->longest = end - start;
}

uint32_t subblock_map_free(const struct subblock_map *map, uint32_t first)
{
    uint32_t length = run_end(map, first) - first;
    memset(map->values + first, SUBBLOCK_FREE, length);
    note_free_run(map, first);
    return length;
}

const char *subblock_map_check(const struct subblock_map *map, uint32_t offset)
{
    uint32_t first = offset / SUBBLOCK_SIZE;
    if (offset % SUBBLOCK_SIZE)
        return "it is not the start of a sub-block";
    if (first < map->metadata)
        return "it lies in a block's metadata";
    if (map->values[first] == SUBBLOCK_FREE)
        return "it is free already";
    if (map->values[first] == SUBBLOCK_METADATA)
        return "its map is overwritten";
    if (map->values[first] == map->values[first - 1])
        return "it lies inside an allocation";
    return NULL;
}
