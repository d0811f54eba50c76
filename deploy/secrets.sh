#!/bin/bash
# Makes the secrets that docker-compose.yml mounts, each once: what is there stays.
#
#   deploy/secrets.sh [FOLDER]      deploy/secrets when none is named
#
# The files are readable by all (in a container each service has a user of its own,
# and Compose mounts a secret with the rights that its file has); the folder is
# closed to everybody but you.
set -euo pipefail
umask 077
folder=${1:-$(dirname "${BASH_SOURCE[0]}")/secrets}

# put NAME: standard input becomes the secret, unless it exists.
put() {
	local file=$folder/$1
	if [ -s "$file" ]; then
		cat >/dev/null
		return
	fi
	cat >"$file.part"
	chmod 0444 "$file.part"
	mv "$file.part" "$file"
	echo "made $file"
}

random() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

# The network between is Compose's own, and leads nowhere else: nothing is encrypted there.
url() { echo "host=postgres dbname=rollcall sslmode=disable user=$1 password=$(cat "$folder/$2")"; }

mkdir -p "$folder"
chmod 0700 "$folder"
# Of the superuser: nothing uses it but the first start of PostgreSQL, and you.
random | put postgres_password
random | put owner_password
random | put program_password
random | put master
url rollcall_owner owner_password | put migrate_database_url
url rollcall program_password | put database_url
# The mail catcher of the profile "dev". Replace it with your own relay:
# smtp://user:password@relay.example.com:587?tls=starttls
echo 'smtp://mail:1025?tls=none' | put smtp_url
