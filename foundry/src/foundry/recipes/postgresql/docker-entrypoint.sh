#!/usr/bin/env bash
# An entry point with the contract of Docker's official postgres image (https://hub.docker.com/_/postgres): same
# environment, folders, order of steps and errors. The implementation is independent.
#
#   POSTGRES_PASSWORD[_FILE]      the superuser's password; required, unless POSTGRES_HOST_AUTH_METHOD is "trust"
#   POSTGRES_USER[_FILE]          the superuser, default postgres
#   POSTGRES_DB[_FILE]            the first database, default the superuser's name
#   POSTGRES_INITDB_ARGS[_FILE]   further arguments of initdb
#   POSTGRES_INITDB_WALDIR        where the write-ahead log goes
#   POSTGRES_HOST_AUTH_METHOD     for connections from other hosts, default the server's password encryption
#   /docker-entrypoint-initdb.d   *.sh (run if executable, else sourced), *.sql, *.sql.gz, *.sql.xz, *.sql.zst,
#                                 in the order of their names, once: when PGDATA was empty
#
# Started as root, it becomes postgres. Started as any other user, it keeps that user.
set -Eeuo pipefail
shopt -s nullglob

say() { printf '%s: %s\n' "${0##*/}" "$*"; }

fail() {
	say "$@" >&2
	exit 1
}

# setting NAME DEFAULT: export NAME, else the contents of the file in NAME_FILE, else DEFAULT.
setting() {
	local file="$1_FILE"
	if [[ -n ${!1:-} && -n ${!file:-} ]]; then
		fail "error: both $1 and $file are set (but are exclusive)"
	fi
	if [[ -n ${!file:-} ]]; then
		export "$1=$(<"${!file}")"
	else
		export "$1=${!1:-$2}"
	fi
	unset "$file"
}

read_settings() {
	setting POSTGRES_PASSWORD ''
	setting POSTGRES_USER postgres
	setting POSTGRES_DB "$POSTGRES_USER"
	setting POSTGRES_INITDB_ARGS ''
	: "${POSTGRES_HOST_AUTH_METHOD:=}"
}

has_cluster() { [[ -s $PGDATA/PG_VERSION ]]; }

prepare_folders() {
	mkdir -p "$PGDATA"
	# Fails on volumes of another user; initdb and the server check the important permissions.
	chmod 00700 "$PGDATA" 2>/dev/null || :
	mkdir -p /var/run/postgresql 2>/dev/null || :
	chmod 03775 /var/run/postgresql 2>/dev/null || :
	if [[ -n ${POSTGRES_INITDB_WALDIR:-} ]]; then
		mkdir -p "$POSTGRES_INITDB_WALDIR"
		chmod 700 "$POSTGRES_INITDB_WALDIR"
	fi
	if [[ $EUID == 0 ]]; then
		find "$PGDATA" /var/run/postgresql ${POSTGRES_INITDB_WALDIR:+"$POSTGRES_INITDB_WALDIR"} \
			\! -user postgres -exec chown postgres '{}' +
	fi
}

check_settings() {
	if [[ -z $POSTGRES_PASSWORD && $POSTGRES_HOST_AUTH_METHOD != trust ]]; then
		cat >&2 <<-'TEXT'
			Error: Database is uninitialized and superuser password is not specified.
			       You must specify POSTGRES_PASSWORD to a non-empty value for the
			       superuser. For example, "-e POSTGRES_PASSWORD=password" on "docker run".

			       You may also use "POSTGRES_HOST_AUTH_METHOD=trust" to allow all
			       connections without a password. This is *not* recommended.
		TEXT
		exit 1
	fi
	if [[ $POSTGRES_HOST_AUTH_METHOD == trust ]]; then
		say 'warning: POSTGRES_HOST_AUTH_METHOD is "trust": anyone who reaches the port is the superuser' >&2
	fi
	# Fail before the cluster exists if the folder of scripts is unreadable; afterwards it would be ignored.
	ls /docker-entrypoint-initdb.d >/dev/null
}

# initdb and libpq query the user's name, which a user id chosen at run time does not have.
borrow_user_name() {
	if getent passwd "$EUID" >/dev/null; then
		return
	fi
	NSS_WRAPPER_PASSWD=$(mktemp) NSS_WRAPPER_GROUP=$(mktemp)
	printf 'postgres:x:%s:%s:PostgreSQL:%s:/bin/false\n' "$EUID" "$(id -g)" "$PGDATA" >"$NSS_WRAPPER_PASSWD"
	printf 'postgres:x:%s:\n' "$(id -g)" >"$NSS_WRAPPER_GROUP"
	LD_PRELOAD=libnss_wrapper.so
	export LD_PRELOAD NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
}

give_back_user_name() {
	if [[ ${LD_PRELOAD:-} == libnss_wrapper.so ]]; then
		rm -f "$NSS_WRAPPER_PASSWD" "$NSS_WRAPPER_GROUP"
		unset LD_PRELOAD NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
	fi
}

create_cluster() {
	local arguments=()
	# Arguments with shell quotes.
	eval "arguments=($POSTGRES_INITDB_ARGS)"
	if [[ -n ${POSTGRES_INITDB_WALDIR:-} ]]; then
		arguments+=(--waldir "$POSTGRES_INITDB_WALDIR")
	fi
	initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") "${arguments[@]}"

	local method=${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption "$@")}
	printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

# During setup, only the socket answers, so that clients of the port wait for the end of the setup.
start_for_setup() {
	local arguments=("$@" -c listen_addresses='' -p "${PGPORT:-5432}")
	PGUSER=${PGUSER:-$POSTGRES_USER} NOTIFY_SOCKET='' pg_ctl -D "$PGDATA" -o "$(printf '%q ' "${arguments[@]}")" -w start
}

stop_after_setup() { PGUSER=${PGUSER:-postgres} pg_ctl -D "$PGDATA" -m fast -w stop; }

# The function's name is part of the contract, because sourced init scripts call it. Arguments are psql's.
docker_process_sql() {
	local arguments=(-v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --no-psqlrc)
	if [[ -n $POSTGRES_DB ]]; then
		arguments+=(--dbname "$POSTGRES_DB")
	fi
	PGHOST='' PGHOSTADDR='' psql "${arguments[@]}" "$@"
}

create_database() {
	local there
	there=$(docker_process_sql --dbname postgres --set db="$POSTGRES_DB" --tuples-only \
		<<<"SELECT 1 FROM pg_database WHERE datname = :'db';")
	if [[ -z ${there//[[:space:]]/} ]]; then
		docker_process_sql --dbname postgres --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
	fi
}

run_init_file() {
	case $1 in
	*.sh)
		if [[ -x $1 ]]; then
			say "running $1"
			"$1"
		else
			say "sourcing $1"
			# shellcheck source=/dev/null
			. "$1"
		fi
		;;
	*.sql) say "running $1" && docker_process_sql -f "$1" ;;
	*.sql.gz) say "running $1" && gunzip -c "$1" | docker_process_sql ;;
	*.sql.xz) say "running $1" && xzcat "$1" | docker_process_sql ;;
	*.sql.zst) say "running $1" && zstd -dc "$1" | docker_process_sql ;;
	*) say "ignoring $1" ;;
	esac
}

set_up() {
	check_settings
	borrow_user_name
	create_cluster "$@"
	export PGPASSWORD="${PGPASSWORD:-$POSTGRES_PASSWORD}"
	start_for_setup "$@"
	create_database
	local file
	for file in /docker-entrypoint-initdb.d/*; do
		run_init_file "$file"
	done
	stop_after_setup
	unset PGPASSWORD
	give_back_user_name
	printf '\nPostgreSQL init process complete; ready for start up.\n\n'
}

# Options that only print information need no setup.
only_asks() {
	local argument
	for argument in "$@"; do
		case $argument in
		-'?' | --help | --describe-config | -V | --version) return 0 ;;
		esac
	done
	return 1
}

main() {
	if [[ ${1:-} == -* ]]; then
		set -- postgres "$@"
	fi
	if [[ ${1:-} == postgres ]] && ! only_asks "$@"; then
		read_settings
		prepare_folders
		if [[ $EUID == 0 ]]; then
			exec setpriv --reuid=postgres --regid=postgres --init-groups -- "${BASH_SOURCE[0]}" "$@"
		fi
		if has_cluster; then
			printf '\nPostgreSQL Database directory appears to contain a database; Skipping initialization\n\n'
		else
			set_up "${@:2}"
		fi
	fi
	exec "$@"
}

main "$@"
