#!/bin/bash
# The commonest tasks with curl and jq. What is asked for comes on stdout as JSON.
#
#   export ROLLCALL_URL=http://127.0.0.1:8080 ROLLCALL_TOKEN=...   (a session's token or an API key)
#
#   rollcall.sh sign-in ORGANIZATION LOGIN < PASSWORD   prints a token
#   rollcall.sh create EMAIL FIRST_NAME LAST_NAME       makes a user, who gets an invitation
#   rollcall.sh list [STATUS]                           all of them, page by page
#   rollcall.sh search TEXT
#   rollcall.sh edit ID JSON                            {"phone": "+380441234567"}
#   rollcall.sh inactivate ID [REASON]
#   rollcall.sh activate ID
#   rollcall.sh why EMAIL                               what became of the mails to somebody
#   rollcall.sh bulk OPERATIONS.json                    [{"op": "inactivate", "id": ...}, ...]
#   rollcall.sh import FILE                             CSV or XLSX, up to 1 MiB
#   rollcall.sh export FILE.csv|FILE.xlsx
set -euo pipefail
shopt -s inherit_errexit

url=${ROLLCALL_URL:-http://127.0.0.1:8080}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# call METHOD PATH [CURL OPTION...]: prints the answer's body; on a problem says what it is and ends.
# Waits and tries again where the server asks for it, and where no answer came. The same key goes with
# each try, so that what was done is not done twice.
call() {
	local method=$1 path=$2 key try status pause
	key=$(cat /proc/sys/kernel/random/uuid 2>/dev/null || uuidgen)
	shift 2
	for try in 1 2 3 4 5; do
		: >"$work/answer"
		# The token goes through a file descriptor: arguments can be seen by everybody on the machine.
		status=$(curl --silent --show-error --request "$method" "$url$path" --header "Idempotency-Key: $key" \
			--config <(printf 'header = "Authorization: Bearer %s"\n' "${ROLLCALL_TOKEN:-}") \
			--dump-header "$work/headers" --output "$work/answer" --write-out '%{http_code}' "$@" 2>"$work/fault") || status=curl$?
		case $status in
		2??)
			cat "$work/answer"
			return
			;;
		429 | 503)
			pause=$(header Retry-After)
			[ "$try" = 5 ] || sleep "${pause:-1}"
			;;
		# Nobody listens, or the connection was lost, before the answer or within it.
		curl[67] | curl18 | curl28 | curl35 | curl5[256]) [ "$try" = 5 ] || sleep $((1 << (try - 1))) ;;
		*) break ;;
		esac
	done
	if [[ $status == curl* ]]; then
		echo "no answer: $(cat "$work/fault")" >&2
	else
		explain "$status" >&2
	fi
	exit 1
}

# The value of a header of the last answer.
header() {
	grep -i "^$1:" "$work/headers" | tail -n 1 | tr -d '\r' | cut -d ' ' -f 2- || true
}

# A problem (RFC 9457): its code, what to do, and each fault of the request.
explain() {
	jq -r '"\(.code): \(.title). \(.detail)", if .policy then "  refused by the policy \(.policy)" else empty end,
		(.errors[]? | "  \(.pointer // .parameter): \(.code): \(.detail)")' "$work/answer" 2>/dev/null ||
		echo "status $1: $(cat "$work/answer")"
	echo "  request $(header X-Request-Id)"
}

# send METHOD PATH [CURL OPTION...] < JSON
send() {
	cat >"$work/body"
	call "$@" --header 'Content-Type: application/json' --data-binary @"$work/body"
}

# every PATH [CURL OPTION...]: the items of a list, over all its pages, one a line.
every() {
	local path=$1 cursor='' page
	shift
	while [ "$cursor" != null ]; do
		page=$(call GET "$path" --get --data limit=200 ${cursor:+--data-urlencode "cursor=$cursor"} "$@")
		jq -c '.items[]' <<<"$page"
		cursor=$(jq -r .next_cursor <<<"$page")
	done
}

# wait_for PATH STATE: asks until it is in this state; ends with 1 when it fails.
wait_for() {
	local answer state=''
	while [ "$state" != "$2" ]; do
		[ -z "$state" ] || sleep 1
		answer=$(call GET "$1")
		state=$(jq -r .state <<<"$answer")
		if [ "$state" = failed ]; then
			jq -r '"it failed: \(.problem.detail)"' <<<"$answer" >&2
			exit 1
		fi
	done
	printf '%s\n' "$answer"
}

sign_in() {
	local answer
	answer=$(jq -R --arg organization "$1" --arg login "$2" '{$organization, $login, password: .}' | send POST /v1/sessions)
	jq -r .token <<<"$answer"
}

create() {
	jq -n --arg email "$1" --arg first_name "$2" --arg last_name "$3" '{$email, $first_name, $last_name}' | send POST /v1/users
}

# Only if nobody changed him since he was read: otherwise version_mismatch, and one reads again.
edit() {
	call GET "/v1/users/$1" >/dev/null
	send PATCH "/v1/users/$1" --header "If-Match: $(header ETag)" <<<"$2"
}

inactivate() {
	jq -n --arg reason "${2:-}" 'if $reason == "" then {} else {$reason} end' | send POST "/v1/users/$1/inactivate"
}

why() {
	local user
	user=$(call GET /v1/users --get --data-urlencode "email=$1" | jq -r '.items[0].id // empty')
	if [ -z "$user" ]; then
		echo "nobody has the address $1" >&2
		exit 1
	fi
	every /v1/outbox --data "user_id=$user" | jq -c '{kind, state, last_reply, attempts, next_attempt_at, sent_at}'
}

# Ends with 1 when one of the operations failed; the others are done.
bulk() {
	local answer
	answer=$(jq '{operations: .}' "$1" | send POST /v1/users/bulk)
	printf '%s\n' "$answer"
	jq -e '.failed == 0' <<<"$answer" >/dev/null
}

# A dry run first, then in earnest: rows that are wrong are shown and left out.
import() {
	local type=text/csv id
	[[ $1 != *.xlsx ]] || type=application/vnd.openxmlformats-officedocument.spreadsheetml.sheet
	id=$(call POST "/v1/imports?file_name=$(jq -nr --arg name "${1##*/}" '$name | @uri')" --header "Content-Type: $type" --data-binary @"$1" | jq -r .id)
	wait_for "/v1/imports/$id" ready >/dev/null
	every "/v1/imports/$id/rows" --data outcome=error | jq -r '"row \(.row): \(.errors[] | "\(.column): \(.detail)")"' >&2
	send POST "/v1/imports/$id/apply" <<<'{}' >/dev/null
	wait_for "/v1/imports/$id" applied | jq -c .counts
}

export_to() {
	local id
	id=$(jq -n --arg format "${1##*.}" '{$format}' | send POST /v1/exports | jq -r .id)
	wait_for "/v1/exports/$id" ready >/dev/null
	call GET "/v1/exports/$id/file" >"$1"
}

task=${1:-}
shift || true
case $task/$# in
sign-in/2) sign_in "$@" ;;
create/3) create "$@" ;;
list/[01]) every /v1/users ${1:+--data "status=$1"} ;;
search/1) every /v1/users --data-urlencode "q=$1" ;;
edit/2) edit "$@" ;;
inactivate/[12]) inactivate "$@" ;;
activate/1) call POST "/v1/users/$1/activate" ;;
why/1) why "$@" ;;
bulk/1) bulk "$@" ;;
import/1) import "$@" ;;
export/1) export_to "$@" ;;
*)
	sed -n '2,/^set/{/^#/s/^# \?//p}' "$0" >&2
	exit 2
	;;
esac
