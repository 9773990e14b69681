/* SPDX-License-Identifier: MIT */
/*
 * Finds what derivedFrom names, on every element that may have it. A plain name is searched among
 * the element's siblings, then one level farther out each time. A path of names is followed inwards
 * from the nearest element outside that has all of it.
 */
#include "svd/derive.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

enum { CHAIN_MAX = 256 }; /* bases of bases */

const struct svd_node *svd_get(const struct svd_node *node, enum svd_element element)
{
    for (; node; node = node->base) {
        const struct svd_node *child = svd_child(node, element);
        if (child && *child->text)
            return child;
    }
    return NULL;
}

const char *svd_get_text(const struct svd_node *node, enum svd_element element,
                         const char *fallback)
{
    const struct svd_node *child = svd_get(node, element);
    return child ? child->text : fallback;
}

const struct svd_node *svd_container(const struct svd_node *node)
{
    const struct svd_node *container = NULL;
    if (node->element == SVD_PERIPHERAL)
        container = svd_child(node, SVD_REGISTERS);
    else if (node->element == SVD_REGISTER)
        container = svd_child(node, SVD_FIELDS);
    else if (node->element == SVD_DEVICE)
        container = svd_child(node, SVD_PERIPHERALS);
    return container ? container : node;
}

static bool is_named(enum svd_element element)
{
    return element == SVD_PERIPHERAL || element == SVD_CLUSTER || element == SVD_REGISTER ||
           element == SVD_FIELD || element == SVD_ENUMERATED_VALUES;
}

/* A name may mean an array: with its "%s", without it, or as one of its members. */
static bool name_is(const struct svd_node *node, const char *text, size_t size)
{
    const struct svd_node *child = svd_child(node, SVD_NAME);
    const char *name = child ? child->text : "";
    if (strncmp(name, text, size) == 0 && !name[size])
        return true;
    const char *index = strstr(name, "%s");
    if (!index)
        return false;
    size_t before = (size_t)(index - name);
    const char *after = index + 2;
    if (before > 0 && name[before - 1] == '[' && *after == ']') {
        before--;
        after++;
    }
    size_t behind = strlen(after);
    if (size < before + behind || strncmp(name, text, before) != 0 ||
        strncmp(text + size - behind, after, behind) != 0)
        return false;
    for (size_t i = before; i < size - behind; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("[]_", text[i]))
            return false;
    return true;
}

/* The next element inside root, in the order of the file; NULL behind the last one. */
static struct svd_node *walk(struct svd_node *at, const struct svd_node *root)
{
    if (at->first)
        return at->first;
    while (at != root && !at->next)
        at = at->parent;
    return at == root ? NULL : at->next;
}

/* The first of that kind and name below root, in the order of the file. */
static struct svd_node *find_below(struct svd_node *root, const struct svd_node *but,
                                   enum svd_element kind, const char *name, size_t size)
{
    for (struct svd_node *at = walk(root, root); at; at = walk(at, root))
        if (at != but && at->element == kind && name_is(at, name, size))
            return at;
    return NULL;
}

static struct svd_node *find_sibling(struct svd_node *node, const char *name, size_t size)
{
    /* Exact names go before members of arrays. */
    for (struct svd_node *at = node->parent->first; at; at = at->next) {
        const struct svd_node *child = svd_child(at, SVD_NAME);
        if (at != node && at->element == node->element && child &&
            strncmp(child->text, name, size) == 0 && !child->text[size])
            return at;
    }
    for (struct svd_node *at = node->parent->first; at; at = at->next)
        if (at != node && at->element == node->element && name_is(at, name, size))
            return at;
    return NULL;
}

static struct svd_node *find_name(struct svd_node *node, const char *name, size_t size)
{
    struct svd_node *found = find_sibling(node, name, size);
    for (struct svd_node *scope = node->parent; scope && !found; scope = scope->parent)
        if (is_named(scope->element) || scope->element == SVD_DEVICE)
            found = find_below(scope, node, node->element, name, size);
    return found;
}

/* A child that the next name of a path may mean. The last name must mean an element of node's kind.
 */
static struct svd_node *find_step(struct svd_node *scope, const struct svd_node *node,
                                  const char *name, size_t size, bool is_last)
{
    struct svd_node *container = (struct svd_node *)svd_container(scope);
    for (struct svd_node *at = container->first; at; at = at->next)
        if (at != node && is_named(at->element) && name_is(at, name, size) &&
            (!is_last || at->element == node->element))
            return at;
    return NULL;
}

static struct svd_node *find_path(struct svd_node *node, struct svd_node *scope, const char *path)
{
    while (scope) {
        size_t size = strcspn(path, ".");
        bool is_last = !path[size];
        scope = find_step(scope, node, path, size, is_last);
        if (is_last)
            return scope;
        path += size + 1;
    }
    return NULL;
}

static struct svd_node *find_base(struct svd_node *node)
{
    const char *path = node->derived_from;
    if (!strchr(path, '.'))
        return find_name(node, path, strlen(path));
    for (struct svd_node *scope = node->parent; scope; scope = scope->parent) {
        struct svd_node *found = find_path(node, scope, path);
        if (found)
            return found;
    }
    /* The path leads through an element that is itself derived. */
    const char *name = strrchr(path, '.') + 1;
    return find_name(node, name, strlen(name));
}

static const char *name_of(const struct svd_node *node)
{
    const struct svd_node *name = svd_child(node, SVD_NAME);
    return name ? name->text : "";
}

int svd_derive(const char *file, struct svd_node *node, char **ret_error)
{
    struct svd_node *chain[CHAIN_MAX];
    size_t length = 0;
    int r = 0;
    for (; r == 0 && node && node->base_state != SVD_BASE_KNOWN; node = node->base) {
        if (node->base_state == SVD_BASE_SOUGHT || length == CHAIN_MAX) {
            *ret_error =
                xformat("%s:%u: %s \"%s\" is derived from itself, by way of \"%s\"; remove "
                        "one derivedFrom of the loop",
                        file, node->line, svd_element_name(node->element), name_of(node),
                        node->derived_from);
            r = -ELOOP;
            break;
        }
        chain[length++] = node;
        node->base_state = SVD_BASE_SOUGHT;
        if (!node->derived_from)
            continue;
        node->base = find_base(node);
        if (!node->base) {
            *ret_error = xformat(
                "%s:%u: %s \"%s\" is derived from \"%s\", which is not in the file", file,
                node->line, svd_element_name(node->element), name_of(node), node->derived_from);
            r = -ENOENT;
        }
    }
    /* After an error nobody sees half a chain, and the next question finds the error again. */
    while (length > 0) {
        chain[--length]->base_state = r < 0 ? SVD_BASE_UNKNOWN : SVD_BASE_KNOWN;
        if (r < 0)
            chain[length]->base = NULL;
    }
    return r;
}
