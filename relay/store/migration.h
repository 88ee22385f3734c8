/* migration.h: the SQL files of migrations/, embedded at build time (migrations/embed.sh). */
#ifndef RELAY_STORE_MIGRATION_H
#define RELAY_STORE_MIGRATION_H

struct migration {
    int number; /* 0 ends the table */
    const char *name, *sql;
};

extern const struct migration migrations_sqlite[], migrations_postgres[];

#endif
