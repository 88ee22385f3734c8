/* machine.h: what the relay is told about this machine, in header values (docs/client-setup.md, "Direct
 * HTTP").
 */
#ifndef BRIDGE_MACHINE_H
#define BRIDGE_MACHINE_H

enum { MACHINE_SIZE = 41 };

struct machine {
    char name[MACHINE_SIZE];     /* the host's, in [A-Za-z0-9._-]; "" where nobody knows it */
    char platform[MACHINE_SIZE]; /* "linux" */
};

void machine_read(struct machine *out);

#endif
