#!/bin/sh
# Set up the pod network of a small cluster on one layer 2 network: this node's CNI configuration, a route to the pods
# of each other node, masquerading for traffic that leaves the cluster, NetworkPolicies. It does not depend on a
# Service.
#
# Environment: NODE_NAME, POD_SUBNET (comma separated), CONTROL_PLANE_ENDPOINT (host:port; kind sets it).
set -eu

# Use the control plane's host name, because the API server's Service address works only once kube-proxy runs.
KUBERNETES_SERVICE_HOST=${CONTROL_PLANE_ENDPOINT%:*}
KUBERNETES_SERVICE_PORT=${CONTROL_PLANE_ENDPOINT##*:}
export KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT

is_ipv6() { case $1 in *:*) return 0 ;; *) return 1 ;; esac; }

# Pods keep their address inside the cluster and use the node's address outside.
masquerade() {
  tables=iptables-restore
  if is_ipv6 "$1"; then tables=ip6tables-restore; fi
  chain="-A POSTROUTING -s $1 -m comment --comment pods -j POD-MASQUERADE"
  # shellcheck disable=SC2086 # words are meant
  if "${tables%-restore}" -t nat -C ${chain#-A } 2>/dev/null; then return; fi
  printf '%s\n' '*nat' ':POD-MASQUERADE - [0:0]' \
    "-A POD-MASQUERADE -d $1 -j RETURN" \
    '-A POD-MASQUERADE -j MASQUERADE --random-fully' \
    "$chain" COMMIT | "$tables" --noflush
}

# Written atomically: containerd reads the file when it appears, which makes the node Ready.
configure() {
  ranges=
  routes=
  for cidr in "$@"; do
    ranges="$ranges${ranges:+,}[{\"subnet\":\"$cidr\"}]"
    default=0.0.0.0/0
    if is_ipv6 "$cidr"; then default=::/0; fi
    routes="$routes${routes:+,}{\"dst\":\"$default\"}"
  done
  mtu=$(cat /sys/class/net/eth0/mtu)
  cat >/etc/cni/net.d/.pod-network <<END
{"cniVersion": "1.0.0", "name": "pod-network", "plugins": [
  {"type": "ptp", "ipMasq": false, "mtu": $mtu, "ipam": {
    "type": "host-local", "dataDir": "/run/cni-ipam-state", "routes": [$routes], "ranges": [$ranges]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
END
  mv /etc/cni/net.d/.pod-network /etc/cni/net.d/10-pod-network.conflist
  echo "pods of this node: $*"
}

# Handle a node line of the watch: name, addresses, "|", pod ranges.
node() {
  name=$1
  shift
  addresses=
  while [ $# -gt 0 ] && [ "$1" != "|" ]; do
    addresses="$addresses $1"
    shift
  done
  if [ $# -gt 0 ]; then shift; fi
  if [ $# -eq 0 ]; then return; fi
  if [ "$name" = "$NODE_NAME" ]; then
    if ! [ -e /etc/cni/net.d/10-pod-network.conflist ]; then configure "$@"; fi
    return
  fi
  for cidr in "$@"; do
    for address in $addresses; do
      if is_ipv6 "$cidr" && is_ipv6 "$address"; then
        route -6 "$cidr" "$address"
      elif ! is_ipv6 "$cidr" && ! is_ipv6 "$address"; then
        route -4 "$cidr" "$address"
      fi
    done
  done
}

# The watch repeats a node after any change; its route rarely changes.
route() {
  case "$(ip "$1" route show "$2")" in *" via $3 "*) return ;; esac
  ip "$1" route replace "$2" via "$3"
  echo "$2 via $3 ($name)"
}

watch() {
  while :; do
    # The watch ends after some minutes or a restart of the API server; a new one lists all nodes again.
    kubectl get nodes --watch --output "go-template=$TEMPLATE" | while read -r line; do
      # shellcheck disable=SC2086 # words are meant
      node $line
    done || true
    sleep 1
  done
}

for subnet in $(echo "$POD_SUBNET" | tr , ' '); do masquerade "$subnet"; done

TEMPLATE='{{.metadata.name}}{{range .status.addresses}}{{if eq .type "InternalIP"}} {{.address}}{{end}}{{end}} |{{range .spec.podCIDRs}} {{.}}{{end}}{{"\n"}}'
watch &

# Enforce policies. If kube-router fails, the container exits, and the kubelet restarts it.
families=
case ",$POD_SUBNET" in *,*:*) families=--enable-ipv6 ;; esac
case ",$POD_SUBNET" in *,*.*) ;; *) families="$families --enable-ipv4=false" ;; esac
# Use another iptables variant than kube-proxy if the kernel has both. In the same variant each disturbs the changes of
# the other, and a Service with new pods becomes reachable seconds late.
case "$(iptables --version)" in *nf_tables*) theirs=nft other=legacy ;; *) theirs=legacy other=nft ;; esac
export TABLES="$theirs"
if "xtables-$other-multi" iptables --list-rules >/dev/null 2>&1; then TABLES=$other; fi
for name in iptables iptables-save ip6tables ip6tables-save; do
  ln -sf "/usr/sbin/xtables-$TABLES-multi" "/usr/local/libexec/policies/$name"
done
PATH=/usr/local/libexec/policies:$PATH
# shellcheck disable=SC2086 # words are meant
exec kube-router --run-firewall --run-router=false --run-service-proxy=false --health-port=0 $families
