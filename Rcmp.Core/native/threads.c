#define _GNU_SOURCE
#include "threads.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "rcmpshim.h"

#define PAGE_SHIFT 12
#define OWN_BITS 22

struct watched {
    struct watched *next;
    uint64_t *words;
    int count;
};

struct stack {
    uint64_t low;
    uint64_t high;
};

static pthread_mutex_t watched_lock = PTHREAD_MUTEX_INITIALIZER;
static struct watched *watched_head;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static int key_error;

/* Runs on the ending thread while its stack is still its own: no other thread can be on these pages yet. */
static void forget_stack(void *value) {
    struct stack *stack = value;
    pthread_mutex_lock(&watched_lock);
    for (struct watched *at = watched_head; at != NULL; at = at->next) {
        for (int i = 0; i < at->count; i++) {
            uint64_t word = __atomic_load_n(&at->words[i], __ATOMIC_RELAXED);
            uint64_t address = word >> OWN_BITS << PAGE_SHIFT;
            /* Another thread may put a word of its own here meanwhile, which stays. */
            if (word != 0 && address >= stack->low && address < stack->high)
                __atomic_compare_exchange_n(&at->words[i], &word, 0, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
        }
    }
    pthread_mutex_unlock(&watched_lock);
    free(stack);
}

static void make_key(void) { key_error = pthread_key_create(&key, forget_stack); }

RCMP_EXPORT int rcmp_threads_watch(uint64_t *words, int count) {
    struct watched *entry = malloc(sizeof *entry);
    if (entry == NULL)
        return -ENOMEM;
    pthread_mutex_lock(&watched_lock);
    *entry = (struct watched){ watched_head, words, count };
    watched_head = entry;
    pthread_mutex_unlock(&watched_lock);
    return 0;
}

RCMP_EXPORT void rcmp_threads_unwatch(uint64_t *words) {
    pthread_mutex_lock(&watched_lock);
    for (struct watched **at = &watched_head; *at != NULL; at = &(*at)->next) {
        struct watched *entry = *at;
        if (entry->words != words)
            continue;
        *at = entry->next;
        free(entry);
        break;
    }
    pthread_mutex_unlock(&watched_lock);
}

RCMP_EXPORT int rcmp_threads_announce(uint64_t *low, uint64_t *high) {
    pthread_once(&key_once, make_key);
    if (key_error != 0)
        return -key_error;
    struct stack *stack = pthread_getspecific(key);
    if (stack == NULL) {
        pthread_attr_t attributes;
        int error = pthread_getattr_np(pthread_self(), &attributes);
        if (error != 0)
            return -error;
        void *base;
        size_t size;
        error = pthread_attr_getstack(&attributes, &base, &size);
        pthread_attr_destroy(&attributes);
        stack = error == 0 ? malloc(sizeof *stack) : NULL;
        if (stack == NULL)
            return error != 0 ? -error : -ENOMEM;
        *stack = (struct stack){ (uint64_t)(uintptr_t)base, (uint64_t)(uintptr_t)base + size };
        error = pthread_setspecific(key, stack);
        if (error != 0) {
            free(stack);
            return -error;
        }
    }
    *low = stack->low;
    *high = stack->high;
    return 0;
}
