/* see sizing.h */
#include "sizing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORIES_MAX 32

/* Memories end with 0. is_everywhere: the first table of 4.1; else the rows of some regions. */
static const struct row {
    double cpu;
    double memory[MEMORIES_MAX];
} everywhere[] =
    {
        {0.25, {0.5, 1}},         {0.5, {1, 2}},           {1, {2, 4, 8}},
        {2, {1, 2, 4, 8, 16}},    {4, {2, 4, 8, 16, 32}},  {8, {4, 8, 16, 32, 64}},
        {12, {12, 24, 48, 96}},   {16, {16, 32, 64, 128}}, {24, {24, 48, 96, 192}},
        {32, {32, 64, 128, 256}}, {52, {96, 192, 384}},    {64, {128, 256, 512}},
},
  some_regions[] =
      {
          {2, {6, 10, 12, 14}},
          {4, {6, 10, 12, 14, 18, 20, 22, 24, 26, 28, 30}},
          {6,
           {6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 42, 44, 46, 48}},
          {8, {10, 12, 14, 18, 20, 22, 24, 26, 28, 30, 34, 36, 38,
               40, 42, 44, 46, 48, 50, 52, 54, 56, 58, 60, 62}},
},
  spot[] = {
      {2, {2, 4, 8, 16}},       {4, {4, 8, 16, 32}},     {8, {8, 16, 32, 64}},
      {12, {12, 24, 48, 96}},   {16, {16, 32, 64, 128}}, {24, {24, 48, 96, 192}},
      {32, {32, 64, 128, 256}}, {52, {96, 192, 384}},    {64, {128, 256, 512}},
};

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

static bool has_more_sizes(const char *region)
{
    return text_is_any(region, "cn-hangzhou|cn-shanghai|cn-qingdao|cn-beijing|cn-zhangjiakou|"
                               "cn-huhehaote|cn-wulanchabu|cn-shenzhen|cn-heyuan|cn-guangzhou|"
                               "cn-chengdu|ap-southeast-1");
}

/* Let *best be the better of itself and the best of the rows; *best.cpu 0: none yet. */
static void search(const struct row *rows, size_t count, struct size wish, struct size *best)
{
    for (size_t at = 0; at < count; at++) {
        const struct row *row = &rows[at];
        if (row->cpu < wish.cpu || (best->cpu > 0 && row->cpu > best->cpu)) {
            continue;
        }
        for (size_t m = 0; m < MEMORIES_MAX && row->memory[m] > 0; m++) {
            if (row->memory[m] < wish.memory) {
                continue;
            }
            if (best->cpu == 0 || row->cpu < best->cpu || row->memory[m] < best->memory) {
                *best = (struct size){row->cpu, row->memory[m]};
            }
            break;
        }
    }
}

bool size_round(const char *region, bool is_spot, struct size wish, struct size *out)
{
    struct size best = {0, 0};
    if (is_spot) {
        search(spot, COUNT(spot), wish, &best);
    } else {
        search(everywhere, COUNT(everywhere), wish, &best);
        if (has_more_sizes(region)) {
            search(some_regions, COUNT(some_regions), wish, &best);
        }
    }
    *out = best;
    return best.cpu > 0;
}

/*
 * ecs.<family>.<size>: c, g and r families have 2, 4 and 8 GiB per vCPU; "large" is 2 vCPU,
 * "xlarge" 4, "Nxlarge" 4 * N. Other families are given 4 GiB: close enough for a rehearsal.
 */
static bool size_of_ecs(const char *type, struct size *out)
{
    const char *size = strrchr(type, '.');
    char family = type[4];
    double ratio = family == 'c' ? 2 : family == 'r' ? 8 : 4;
    if (size == type + 3 || !text_ends(size, "large")) {
        return false;
    }
    size++;
    if (strcmp(size, "large") == 0) {
        out->cpu = 2;
    } else if (strcmp(size, "xlarge") == 0) {
        out->cpu = 4;
    } else {
        char *end = NULL;
        unsigned long times = strtoul(size, &end, 10);
        if (end == size || strcmp(end, "xlarge") != 0 || times < 2 || times > 64) {
            return false;
        }
        out->cpu = 4.0 * (double)times;
    }
    out->memory = out->cpu * ratio;
    return true;
}

bool size_of_type(const char *type, struct size *out)
{
    char unit[4] = {0};
    int end = 0;
    if (text_starts(type, "ecs.")) {
        return size_of_ecs(type, out);
    }
    return sscanf(type, "%lf-%lf%2s%n", &out->cpu, &out->memory, unit, &end) == 3 &&
           type[end] == '\0' && strcmp(unit, "Gi") == 0 && out->cpu > 0 && out->memory > 0;
}

const char *env_value(const struct node *container, const char *key)
{
    for (const struct node *env = tree_list(container, "EnvironmentVar"); env != NULL;
         env = env->next) {
        if (text_is(tree_text(env, "Key"), key)) {
            return tree_text(env, "Value");
        }
    }
    return NULL;
}

struct size size_of_containers(const struct node *params)
{
    struct size sum = {0, 0};
    for (const struct node *c = tree_list(params, "Container"); c != NULL; c = c->next) {
        if (!text_is(env_value(c, "__ECI_RESOURCE_IGNORE__"), "TRUE")) {
            sum.cpu += tree_number(c, "Cpu", 0);
            sum.memory += tree_number(c, "Memory", 0);
        }
    }
    for (const struct node *c = tree_list(params, "InitContainer"); c != NULL; c = c->next) {
        double cpu = tree_number(c, "Cpu", 0);
        double memory = tree_number(c, "Memory", 0);
        sum.cpu = cpu > sum.cpu ? cpu : sum.cpu;
        sum.memory = memory > sum.memory ? memory : sum.memory;
    }
    return sum;
}
