#!/bin/sh
# The iptables-restore and ip6tables-restore of kube-router.
#
# kube-router reads the whole filter table, computes, and writes the whole table back. This would overwrite changes that
# kube-proxy made meanwhile, and a Service with new pods could stay refused until the next change. Therefore only
# kube-router's own chains are written. Forbidden connections are dropped instead of rejected, as in kind's own network,
# so that a connection of a pod that is not known yet is retried.
#
# Environment: TABLES (legacy or nft), the variant for policies.
set -eu
name=${0##*/}
multi=xtables-$TABLES-multi
case "$*" in *--help*) exec "$multi" "$name" --help ;; esac

{
  "$multi" "${name%-restore}-save" -t filter | sed -n 's/^:\([^ ]*\).*/there \1/p'
  cat
} | awk '
  function own(chain) { return chain ~ /^KUBE-(ROUTER|POD-FW|NWPLCY)-/ }
  $1 == "there" { if (own($2)) there[$2] = 1; next }
  /^:/ { chain = substr($1, 2); if (own(chain)) wanted[chain] = 1; next }
  /^-/ && own($2) { sub(/ -j REJECT.*/, " -j DROP"); rules[count++] = $0 }
  END {
    print "*filter"
    for (chain in wanted) print ":" chain " - [0:0]"
    for (chain in there) if (!(chain in wanted)) print ":" chain " - [0:0]"
    for (i = 0; i < count; i++) print rules[i]
    for (chain in there) if (!(chain in wanted)) print "-X " chain
    print "COMMIT"
  }' | "$multi" "$name" --noflush "$@"
