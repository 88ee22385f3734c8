#!/bin/sh
# tests/supabase.sh COMMAND...: runs a command beside what a project of Supabase is made of, in temporary folders and on free
# ports: see tests/rigs/supabase.py.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
exec "$here/tests/postgres.sh" "$here/tests/rigs/supabase.py" "$@"
