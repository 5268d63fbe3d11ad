/* Forgets, when a thread ends, the words that name pages of its stack: see DataPath/StackSlots.cs. */
#ifndef RCMP_THREADS_H
#define RCMP_THREADS_H

#include <stdint.h>

/* A word is a page of stack above 16 bits of the caller's; 0 is none. From here on a thread that ends clears its own words. 0, or a negative errno. */
int rcmp_threads_watch(uint64_t *words, int count);

/* After it the words may be freed. */
void rcmp_threads_unwatch(uint64_t *words);

/* To be called once by each thread whose pages of stack are put into words: tells where its stack is. 0, or a negative errno. */
int rcmp_threads_announce(uint64_t *low, uint64_t *high);

#endif
