#!/bin/sh
# embed.sh NAME FILE...: prints C source that holds the files as `const struct migration migrations_NAME[]`, in the order
# given, ended by a zeroed row. A file's number is what its name begins with.
set -eu
name=$1
shift
printf '#include "../../relay/store/migration.h"\n\nconst struct migration migrations_%s[] = {\n' "$name"
for file in "$@"; do
    base=$(basename "$file" .sql)
    printf '    {%s, "%s",\n' "$(echo "$base" | sed 's/^0*\([0-9][0-9]*\).*/\1/')" "$base"
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/        "/' -e 's/$/\\n"/' "$file"
    printf '    },\n'
done
printf '    {0, 0, 0}};\n'
