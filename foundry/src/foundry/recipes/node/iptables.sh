#!/bin/sh
# Run iptables in the variant that the node's kubelet uses. The kubelet creates the chain KUBE-IPTABLES-HINT for this
# purpose: https://github.com/kubernetes-sigs/iptables-wrappers
set -eu
mode=legacy
for tables in iptables ip6tables; do
  if xtables-nft-multi "$tables-save" -t mangle 2>/dev/null | grep -q '^:KUBE-IPTABLES-HINT'; then mode=nft; fi
done
# Link the names directly to the variant. On a read-only file system, each call detects it again.
for name in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
  ln -sf "xtables-$mode-multi" "/usr/sbin/$name" 2>/dev/null || true
done
exec "xtables-$mode-multi" "$(basename "$0")" "$@"
