#!/bin/sh
# iptables in the kind that the node's kubelet uses. The kubelet makes the chain KUBE-IPTABLES-HINT for this question:
# https://github.com/kubernetes-sigs/iptables-wrappers
set -eu
mode=legacy
for tables in iptables ip6tables; do
  if xtables-nft-multi "$tables-save" -t mangle 2>/dev/null | grep -q '^:KUBE-IPTABLES-HINT'; then mode=nft; fi
done
# From now on the names lead there directly; a file system that cannot be written to asks again each time.
for name in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
  ln -sf "xtables-$mode-multi" "/usr/sbin/$name" 2>/dev/null || true
done
exec "xtables-$mode-multi" "$(basename "$0")" "$@"
