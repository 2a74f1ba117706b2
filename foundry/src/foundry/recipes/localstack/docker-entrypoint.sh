#!/usr/bin/env bash
# The contract of LocalStack's own image (https://docs.localstack.cloud/references/): settings may have the prefix
# LOCALSTACK_, and the scripts in /etc/localstack/init/boot.d run before the gateway starts.
set -euo pipefail

while IFS= read -r name; do
	case $name in
	LOCALSTACK_HOST | LOCALSTACK_HOSTNAME | LOCALSTACK_[0-9]*) ;; # separate settings, and Docker's links
	*) export "${name#LOCALSTACK_}=${!name}" ;;
	esac
done < <(compgen -v LOCALSTACK_)

python=/opt/code/localstack/.venv/bin/python
if compgen -G '/etc/localstack/init/boot.d/*' >/dev/null; then
	$python -m localstack.runtime.init BOOT
fi
if (($#)); then
	exec "$@"
fi
exec $python -m localstack.runtime.main
