/*
 * Trees of names and texts: what flattened parameters and JSON have in common.
 *
 * "Container.1.Name=web" (eci-api 1.4) and {"Container":[{"Name":"web"}]} give the same tree:
 * a node called Container, below it a node called 1, below it Name with the value "web". So the
 * actions read both through one set of functions. Children whose names are numbers are kept in
 * numeric order, in whatever order they came; gaps vanish by themselves.
 *
 * Nodes and texts live in the arena that was given; nobody frees a single node.
 */
#ifndef ECISIM_TREE_H
#define ECISIM_TREE_H

#include "text.h"

struct node {
    const char *name;
    const char *value; /* NULL when the node only has children */
    struct node *first;
    struct node *last;
    struct node *next;
    unsigned long index; /* the name as a number; 0 when it is not one */
    bool is_quoted;      /* JSON only: the value was a string */
};

#define TREE_DEPTH_MAX 12

struct node *tree_new(struct arena *arena);
/* Add one flattened name; a second value for the same name wins. */
void tree_put(struct arena *arena, struct node *root, const char *flat, const char *value);
/* The node at a dotted path such as "SecurityContext.RunAsUser", or NULL. root may be NULL. */
const struct node *tree_find(const struct node *root, const char *path);
/* Its value, or NULL. */
const char *tree_text(const struct node *root, const char *path);
/* Its value as a number or truth, or the other when absent or unreadable. */
double tree_number(const struct node *root, const char *path, double other);
long long tree_long(const struct node *root, const char *path, long long other);
bool tree_true(const struct node *root, const char *path);
/* The first child of the node at the path (walk on with ->next), or NULL. */
const struct node *tree_list(const struct node *root, const char *path);
size_t tree_count(const struct node *root, const char *path);
/* Replace the child of that name of root, or add it. */
void tree_replace(struct node *root, struct node *child);

/*
 * Read JSON into a tree: members by name, items as 1, 2, 3, scalars as text (null as a node
 * without value). Returns NULL when the text is not one JSON value.
 */
struct node *json_read(struct arena *arena, const char *text);

/*
 * Write JSON. Commas and quotes are looked after; keys are given with jw_key or the jw_k
 * functions, which are a key and a value together.
 */
struct jw {
    struct buf out;
    bool is_fresh; /* nothing written yet at this level */
};

void jw_open(struct jw *jw, char bracket);
void jw_close(struct jw *jw, char bracket);
void jw_key(struct jw *jw, const char *key);
void jw_text(struct jw *jw, const char *text); /* NULL is written as "" */
void jw_long(struct jw *jw, long long number);
void jw_double(struct jw *jw, double number);
void jw_bool(struct jw *jw, bool truth);
void jw_kopen(struct jw *jw, const char *key, char bracket);
void jw_ktext(struct jw *jw, const char *key, const char *text);
void jw_klong(struct jw *jw, const char *key, long long number);
void jw_kdouble(struct jw *jw, const char *key, double number);
void jw_kbool(struct jw *jw, const char *key, bool truth);
/* An array of the values of a list of nodes. */
void jw_klist(struct jw *jw, const char *key, const struct node *first);

#endif
