# shellcheck shell=bash
# For deploy/backup and deploy/restore: settings as the programs read them, and a
# connection string without its password, which nobody shall see in a list of processes.

fail() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# setting NAME SECRET: the value of ROLLCALL_NAME; of the file that ROLLCALL_NAME_FILE names;
# or of the installed package's secret.
setting() {
	local value=ROLLCALL_$1 file=ROLLCALL_$1_FILE installed=/etc/rollcall/secrets/$2
	if [ -n "${!value:-}" ]; then
		printf '%s' "${!value}"
	elif [ -n "${!file:-}" ]; then
		cat "${!file}"
	elif [ -r "$installed" ]; then
		cat "$installed"
	fi
}

# The owner's connection string, in $url; its password goes to PGPASSWORD.
read_owner_url() {
	local quoted="'(([^'\\\\]|\\\\.)*)'" blanks='[[:space:]]*' password
	url=$(setting MIGRATE_DATABASE_URL migrate_database_url)
	[ -n "$url" ] || fail 'ROLLCALL_MIGRATE_DATABASE_URL (or _FILE) is not set: the connection string of the owner'
	if [[ $url =~ ^(postgres(ql)?://[^:@/?]*):([^@/?]*)@(.*)$ ]]; then
		url=${BASH_REMATCH[1]}@${BASH_REMATCH[4]}
		password=${BASH_REMATCH[3]//\\/\\\\}
		printf -v PGPASSWORD '%b' "${password//%/\\x}"
	elif [[ $url =~ ^(.*[[:space:]])?password$blanks=$blanks$quoted(.*)$ ]]; then
		url=${BASH_REMATCH[1]}${BASH_REMATCH[4]}
		# shellcheck disable=SC2001 # not what is found is put in, but its second character
		PGPASSWORD=$(sed 's/\\\(.\)/\1/g' <<<"${BASH_REMATCH[2]}")
	elif [[ $url =~ ^(.*[[:space:]])?password$blanks=$blanks([^[:space:]]+)(.*)$ ]]; then
		url=${BASH_REMATCH[1]}${BASH_REMATCH[3]}
		PGPASSWORD=${BASH_REMATCH[2]}
	fi
	# What is left goes to the arguments of programs, where everybody can read it.
	if [[ $url =~ (^|[?\&[:space:]])(ssl)?password[[:space:]]*= ]]; then
		fail 'the password in ROLLCALL_MIGRATE_DATABASE_URL must stand before the @, or as password=… between blanks'
	fi
	[ -z "${PGPASSWORD-}" ] || export PGPASSWORD
}

# A line for each part of the master secret: enough to know it again, not to guess it.
secret_fingerprints() {
	local secret part
	secret=$(setting SECRET master)
	while IFS= read -r part; do
		[ -z "$part" ] || printf '%s' "$part" | sha256sum | cut -c 1-16
	done <<<"${secret//,/$'\n'}"
}
