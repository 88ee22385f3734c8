#!/bin/sh
# embed_plugin.sh FOLDER: prints C source that holds the files below the folder as `const struct plugin_file plugin_files[]`, by
# path, ended by a zeroed row.
set -eu
cd "$1"
list=$(find . -type f | sed 's|^\./||' | LC_ALL=C sort)
printf '#include "../../bridge/plugin_files.h"\n\n'
number=0
for file in $list; do
    printf 'static const unsigned char file_%d[] = {\n' $number
    od -An -v -tu1 "$file" | sed -e 's/  *\([0-9]\)/ \1/g' -e 's/\([0-9]\)\( \|$\)/\1,\2/g'
    printf '};\n'
    number=$((number + 1))
done
printf '\nconst struct plugin_file plugin_files[] = {\n'
number=0
for file in $list; do
    printf '    {"%s", file_%d, sizeof file_%d},\n' "$file" $number $number
    number=$((number + 1))
done
printf '    {0}};\n'
