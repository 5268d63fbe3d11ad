/* The owner's process, and how the checks start, command and end it. It is started by exec: a process that has opened an RDMA device must
   not go on as a fork. */
#define _GNU_SOURCE
#include "smoke.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct rcmp_link link_of(uint64_t generation, uint64_t registration) {
    return (struct rcmp_link){.owner_generation = generation,
                              .holder_generation = 1,
                              .registration = registration,
                              .owner_rack = OWNER_RACK,
                              .holder_rack = HOLDER_RACK};
}

/* smoke owner PATH ADDRESS GENERATION: commands come by line on standard input, each is answered by a line. */
int owner_main(int argc, char **argv) {
    if (argc != 5) die("owner: wrong arguments");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct region region;
    region_map(&region, argv[2]);
    uint64_t generation = strtoull(argv[4], NULL, 10);
    struct rcmp_server_options options = {.address = argv[3],
                                          .spin_ns = 20000,
                                          .service_threads = 1,
                                          .max_connections = 32};
    memset(options.key, (int)generation, sizeof options.key);
    char address[256], error[256] = "";
    struct rcmp_server *server;
    int status = rcmp_expose(&options, &region.view, &server, address, sizeof address, error, sizeof error);
    printf("%s\n", status == RCMP_EXPOSED ? address : error[0] ? error : "not exposed");
    fflush(stdout);
    if (status != RCMP_EXPOSED) return 2;

    char command[32];
    uint64_t argument;
    while (scanf("%31s %" SCNu64, command, &argument) == 2) {
        if (strcmp(command, "accept") == 0) {
            struct rcmp_link link = link_of(generation, argument);
            rcmp_server_accept(server, &link);
        } else if (strcmp(command, "fence") == 0) {
            rcmp_server_fence(server, (uint32_t)argument);
        } else if (strcmp(command, "destroy") == 0) {
            rcmp_server_destroy(server, &argument, 1);
        } else {
            die("owner: unknown command %s", command);
        }
        printf("done\n");
        fflush(stdout);
    }
    rcmp_server_close(server);
    return 0;
}

static void read_line(struct owner *owner, char *line, size_t size) {
    size_t length = 0;
    char c;
    while (length + 1 < size && read(owner->answers, &c, 1) == 1 && c != '\n') line[length++] = c;
    line[length] = 0;
}

void owner_start(struct owner *owner, const char *path, const char *address, uint64_t generation) {
    int in[2], out[2];
    char number[24];
    if (pipe(in) != 0 || pipe(out) != 0) die("pipe: %s", strerror(errno));
    snprintf(number, sizeof number, "%" PRIu64, generation);
    owner->pid = vfork();
    if (owner->pid < 0) die("vfork: %s", strerror(errno));
    if (owner->pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        close(out[0]);
        execl("/proc/self/exe", "smoke", "owner", path, address, number, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    owner->commands = in[1];
    owner->answers = out[0];
    owner->generation = generation;
    memset(owner->key, (int)generation, sizeof owner->key);
    read_line(owner, owner->address, sizeof owner->address);
    if (strstr(owner->address, "://") == NULL) die("the owner does not serve %s: %s", address, owner->address);
}

void owner_tell(struct owner *owner, const char *command, uint64_t argument) {
    char line[64];
    int length = snprintf(line, sizeof line, "%s %" PRIu64 "\n", command, argument);
    if (write(owner->commands, line, (size_t)length) != length) die("the owner takes no command: %s", strerror(errno));
    read_line(owner, line, sizeof line);
    if (strcmp(line, "done") != 0) die("the owner did not %s", command);
}

/* A signal takes its time; the stop is over when the parent is told. */
void owner_stop(struct owner *owner) {
    kill(owner->pid, SIGSTOP);
    waitpid(owner->pid, NULL, WUNTRACED);
}

void owner_kill(struct owner *owner) {
    kill(owner->pid, SIGKILL);
    waitpid(owner->pid, NULL, 0);
    close(owner->commands);
    close(owner->answers);
}
