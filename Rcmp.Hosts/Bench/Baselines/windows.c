/* One-sided windows of MPI: rank 0 gets, puts and swaps in the window of rank 1, one operation at a time, each complete at the target before the next. Rank 1 waits in a
   barrier, where the library makes progress for those transports that need the target's help. Built on demand: mpicc -O3 -o windows windows.c

   mpirun -n 2 windows ROUNDS   prints, per operation: name bytes p50Ns */
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WINDOW (64 << 10)

enum operation { GET, PUT, SWAP };

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void measure(MPI_Win window, const char *name, enum operation operation, int bytes, int rounds) {
    static char buffer[WINDOW];
    uint64_t desired = 1, expected = 0, seen = 0;
    int64_t *times = malloc(sizeof *times * (size_t)rounds);
    for (int i = -rounds / 10; i < rounds; i++) {
        int64_t start = now_ns();
        if (operation == GET)
            MPI_Get(buffer, bytes, MPI_BYTE, 1, 0, bytes, MPI_BYTE, window);
        else if (operation == PUT)
            MPI_Put(buffer, bytes, MPI_BYTE, 1, 0, bytes, MPI_BYTE, window);
        else
            MPI_Compare_and_swap(&desired, &expected, &seen, MPI_UINT64_T, 1, 0, window);
        MPI_Win_flush(1, window);
        if (i >= 0)
            times[i] = now_ns() - start;
    }
    qsort(times, (size_t)rounds, sizeof *times, compare);
    printf("%s %d %lld\n", name, bytes, (long long)times[rounds / 2]);
    fflush(stdout);
    free(times);
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    int rank, rounds = argc == 2 ? atoi(argv[1]) : 0;
    void *memory;
    MPI_Win window;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Win_allocate(WINDOW, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &memory, &window);
    memset(memory, 0, WINDOW);
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0 && rounds > 0) {
        MPI_Win_lock(MPI_LOCK_SHARED, 1, 0, window);
        measure(window, "get", GET, 8, rounds);
        measure(window, "get", GET, 4096, rounds);
        measure(window, "get", GET, WINDOW, rounds);
        measure(window, "put", PUT, 8, rounds);
        measure(window, "put", PUT, 4096, rounds);
        measure(window, "put", PUT, WINDOW, rounds);
        measure(window, "cas", SWAP, 8, rounds);
        MPI_Win_unlock(1, window);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Win_free(&window);
    MPI_Finalize();
    return 0;
}
