#!/bin/sh
# What kube-router finds as iptables-restore and ip6tables-restore.
#
# It reads the whole filter table, works, and writes the whole table back: over what kube-proxy changed meanwhile, so that
# a Service whose pods have just come could stay refused until the next change. Only kube-router's own chains pass here.
# What is forbidden is dropped and not refused, as kind's own network has it: a connection that comes before its pod is
# known tries again.
#
# Environment: TABLES (legacy or nft), the kind of tables that policies have.
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
