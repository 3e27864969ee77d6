/* limited.c - the programs whose uses an order may come to count, told by its request alone (rules 27, 30).
 *
 * Each counter is locked from before the evaluation until the commit, so that orders that name the same one wait for each other:
 * what cannot give anything to an order must not be named. */
#include "domain/work.h"

/* Programs as a set of bits, by their index. */
static void
mark (uint64_t *marks, uint32_t program)
{
    marks[program / 64] |= UINT64_C (1) << program % 64;
}

static bool
is_marked (const uint64_t *marks, uint32_t program)
{
    return (marks[program / 64] >> program % 64 & 1) != 0;
}

/* Marks what the claims name. False where one may mean a card of any program: what is no rule's code may be a card's. */
static bool
mark_claimed (const struct work *work, uint64_t *marks)
{
    bool all_known = true;
    for (uint32_t i = 0; i < work->order->claim_count; i++) {
        const struct claim *claim = &work->order->claims[i];
        int64_t rule = claim->code.size > 0 ? code_map_find (work->index, claim->code) : -1;
        const struct program *program = claim->has_program ? catalog_program (work->catalog, claim->program_id) : NULL;
        if (rule >= 0)
            mark (marks, work->index->rules[rule].program);
        else if (program != NULL)
            mark (marks, program->index);
        else
            all_known = false;
    }
    return all_known;
}

/* Marks the programs with a rule that names a product of the lines. */
static void
mark_touched (const struct work *work, uint64_t *marks)
{
    for (uint32_t i = 0; i < work->order->line_count; i++) {
        struct span rules = id_map_find (&work->index->products, work->order->lines[i].product_id);
        for (uint32_t r = 0; r < rules.count; r++)
            mark (marks, work->index->rules[rules.items[r]].program);
    }
}

int
evaluate_limited (const struct catalog *catalog, const struct order *order, struct arena *arena, const int64_t **ids,
                  uint32_t *count, struct error *err)
{
    struct work work = { .catalog = catalog, .index = catalog->index, .order = order, .arena = arena, .err = err };
    const struct span all = catalog->index->limited;
    uint64_t *claimed = arena_array_of (arena, catalog->program_count / 64 + 1, uint64_t);
    uint64_t *touched = arena_array_of (arena, catalog->program_count / 64 + 1, uint64_t);
    int64_t *limited = arena_array_of (arena, all.count, int64_t);
    if (claimed == NULL || touched == NULL || limited == NULL)
        return work_exhausted (&work);
    bool all_known = mark_claimed (&work, claimed);
    mark_touched (&work, touched);
    work_set_clock (&work);
    *ids = limited;
    *count = 0;
    for (uint32_t i = 0; i < all.count; i++) {
        uint32_t p = all.items[i];
        const struct program *program = &catalog->programs[p];
        bool by_itself = !catalog->index->products_only[p] || is_marked (touched, p);
        if ((by_itself && program->trigger == TRIGGER_AUTO) || !all_known || is_marked (claimed, p))
            if (take_part_facts (&work, program) == REASON_NONE)
                limited[(*count)++] = program->id;
    }
    return 0;
}
