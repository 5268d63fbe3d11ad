/* One-sided windows of MPI: rank 0 gets, puts and swaps in the window of rank 1, each complete at the target before the next begins. It walks the window in order, at least a
   line a step, as WindowRows does in the pool. Timed in batches, since two clock reads cost more than a small copy in shared memory. Rank 1 waits in a barrier, where the
   library makes progress for those transports that need the target's help. Built on demand: mpicc -O3 -o windows windows.c

   mpirun -n 2 windows WINDOW BATCHES OPERATIONS   prints, per kind of operation: name bytes nanoseconds (the mean of the median batch) */
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LARGEST (64 << 10)
#define LINE 64
#define BATCH_BYTES (4 << 20)

enum operation { GET, PUT, SWAP };

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static MPI_Win window;
static int window_bytes, batches, operations;

static void measure(const char *name, enum operation operation, int bytes) {
    static _Alignas(LINE) char buffer[LARGEST];
    uint64_t desired = 1, expected = 0, seen = 0;
    int at = 0, step = bytes > LINE ? bytes : LINE, each = operations < BATCH_BYTES / bytes ? operations : BATCH_BYTES / bytes;
    double *times = malloc(sizeof *times * (size_t)batches);
    for (int i = -batches / 10; i < batches; i++) {
        int64_t start = now_ns();
        for (int j = 0; j < each; j++) {
            if (operation == GET)
                MPI_Get(buffer, bytes, MPI_BYTE, 1, at, bytes, MPI_BYTE, window);
            else if (operation == PUT)
                MPI_Put(buffer, bytes, MPI_BYTE, 1, at, bytes, MPI_BYTE, window);
            else
                MPI_Compare_and_swap(&desired, &expected, &seen, MPI_UINT64_T, 1, at, window);
            MPI_Win_flush(1, window);
            at += step;
            if (at + step > window_bytes)
                at = 0;
        }
        if (i >= 0)
            times[i] = (double)(now_ns() - start) / each;
    }
    qsort(times, (size_t)batches, sizeof *times, compare);
    printf("%s %d %.2f\n", name, bytes, times[batches / 2]);
    fflush(stdout);
    free(times);
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    int rank;
    void *memory;
    if (argc != 4)
        return 2;
    window_bytes = atoi(argv[1]);
    batches = atoi(argv[2]);
    operations = atoi(argv[3]);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Win_allocate(window_bytes, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &memory, &window);
    memset(memory, 0, (size_t)window_bytes);
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0) {
        MPI_Win_lock(MPI_LOCK_SHARED, 1, 0, window);
        measure("get", GET, 8);
        measure("get", GET, 4096);
        measure("get", GET, LARGEST);
        measure("put", PUT, 8);
        measure("put", PUT, 4096);
        measure("put", PUT, LARGEST);
        measure("cas", SWAP, 8);
        MPI_Win_unlock(1, window);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Win_free(&window);
    MPI_Finalize();
    return 0;
}
