#!/bin/sh
# Restore a backup: restore.sh CONFIG BACKUP, as the node's user, while the node is stopped. Database and spool
# of CONFIG must be new: move the old ones away first. BACKUP is "current" or "day-N" of backup.sh.
set -eu
config=$1 backup=$2
pacs_ai=${PACS_AI:-pacs-ai}

"$pacs_ai" db restore "$backup" --config "$config"
"$pacs_ai" audit verify --config "$config"
"$pacs_ai" config check --config "$config" >/dev/null
echo "restored: start the node"
