#!/bin/sh
# Back up a node while it runs, every night: backup.sh CONFIG FOLDER, as the node's user, from cron or a
# systemd timer. FOLDER, on another disk, then has "current" and seven more, "day-1" (Monday) to "day-7".
# Only new files are copied: what has not changed is one file in all eight, by hard links.
set -eu
config=$1 folder=$2
pacs_ai=${PACS_AI:-pacs-ai}

mkdir -p "$folder"
exec 9>"$folder/lock"
flock --nonblock 9 || { echo "$0: another backup to $folder is running" >&2; exit 1; }

"$pacs_ai" db backup "$folder/current" --config "$config"
day="$folder/day-$(date +%u)"
rm -rf "$day"
cp -al "$folder/current" "$day"
