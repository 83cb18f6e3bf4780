#!/usr/bin/env bash
# What a cluster file of Ray's launcher has each node do before and beside `ray start`.
#
#   node.sh install         the project of the checkout that was sent, its Python, the environment
#   node.sh before_head     the cluster's token, the shared folder
#   node.sh unless_running COMMAND...   run it, unless a study runs here, which it would end
#   node.sh patiently COMMAND...        run it again when it fails, which may be for a busy machine
#   node.sh after_head      MLflow on the loopback, for as long as Ray runs
#   node.sh before_worker HEAD   the shared folder
#   node.sh after_worker    end what Ray leaves behind when its head has gone
#
# Settings come from ~/raystudy-env.sh, which the cluster file writes:
#   RAYSTUDY_HOME   results, in a folder that all nodes see
#   RAYSTUDY_NFS    who serves that folder's parent: `head` (its own disk), HOST:/path, or nothing
#                   where it is mounted already
set -euo pipefail

sent=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
source=~/raystudy-src
venv=~/raystudy-venv
. ~/raystudy-env.sh
shared=$(dirname "$RAYSTUDY_HOME")
quiet_apt() { sudo apt-get -o DPkg::Lock::Timeout=300 -qq "$@" > /dev/null; }  # a new node updates itself
is_head() { [ -e ~/ray_bootstrap_config.yaml ]; }

running_studies() {
  local lock
  for lock in "$RAYSTUDY_HOME"/studies/*/lock; do
    [ ! -e "$lock" ] || flock --shared --nonblock "$lock" true || basename "$(dirname "$lock")"
  done
}

install() {
  rm -f "$sent/.git/config"  # may hold a password in the remote's URL
  environment
  if is_head; then
    pin_image
    local running; running=$(running_studies)
    if [ -n "$running" ]; then  # also for workers that come later: one version for all trials
      rsync --archive --delete "$source/" "$sent/"
      return
    fi
  fi
  rsync --archive --delete "$sent/" "$source/"
  mark_unsent
  packages
}

environment() {
  # The file is written anew by each `ray up`; shells only read it, so that later changes arrive.
  # Ray's pages of metrics ask for no token and are open to the network: without them. Port 1 is
  # one that no user may open.
  cat >> ~/raystudy-env.sh << 'END'
export PATH=$HOME/raystudy-venv/bin:$PATH RAY_AUTH_MODE=token
export RAY_enable_metrics_collection=0 AUTOSCALER_METRIC_PORT=1 DASHBOARD_METRIC_PORT=1
END
  chmod 600 ~/raystudy-env.sh  # an MLflow server's URI may hold a password
  local profile
  for profile in ~/.bashrc ~/.profile; do
    grep -qs raystudy-env.sh $profile || echo '. ~/raystudy-env.sh' >> $profile
  done
}

pin_image() {
  # Workers get the image of the head: its role may start instances, but not look parameters up.
  grep -q resolve:ssm: ~/ray_bootstrap_config.yaml || return 0
  local url=http://169.254.169.254/latest key image
  key=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $url/api/token)
  image=$(curl -sf -H "X-aws-ec2-metadata-token: $key" $url/meta-data/ami-id)
  sed -i "s|resolve:ssm:[^\"]*|$image|g" ~/ray_bootstrap_config.yaml
}

mark_unsent() {  # tests and the like stay on the laptop: no change that makes the commit dirty
  command -v git > /dev/null && git -C "$source" rev-parse --quiet --verify HEAD > /dev/null || return 0
  git -C "$source" ls-files -z --deleted |
    git -C "$source" update-index -z --skip-worktree --stdin
}

packages() {
  local uv=~/.local/bin/uv versions=~/raystudy-versions.txt pinned=()
  [ -x $uv ] || curl -LsSf https://astral.sh/uv/install.sh | sh
  $uv venv --quiet --allow-existing --python 3.12 $venv
  # The head's versions come with the worker (cluster_synced_files), also weeks later.
  if ! is_head && [ -e $versions ]; then pinned=(--constraint $versions); fi
  $uv pip install --quiet --python $venv/bin/python "${pinned[@]}" --editable "$source[aws]"
  if is_head; then $uv pip freeze --python $venv/bin/python --exclude-editable > $versions; fi
}

before_head() {
  if [ "$RAYSTUDY_NFS" = head ]; then serve; else mount_shared "$RAYSTUDY_NFS"; fi
  mkdir -p "$RAYSTUDY_HOME"
  (umask 077; $venv/bin/ray get-auth-token --generate > /dev/null 2>&1)
  private_token
  fingerprint > "$RAYSTUDY_HOME/.cluster"
}

before_worker() {
  private_token
  if [ "$RAYSTUDY_NFS" = head ]; then mount_shared "$1:$shared"; else mount_shared "$RAYSTUDY_NFS"; fi
  if [ "$(fingerprint)" != "$(cat "$RAYSTUDY_HOME/.cluster" 2> /dev/null)" ]; then
    echo "raystudy: $RAYSTUDY_HOME on $(hostname) is not the folder that the head has there; mount" \
      "the same folder on all machines, or set RAYSTUDY_NFS in the cluster file." >&2
    exit 1
  fi
}

private_token() { chmod 700 ~/.ray; chmod 600 ~/.ray/auth_token; }
fingerprint() { sha256sum < ~/.ray/auth_token; }

serve() {  # to private addresses; from outside the cluster the security group lets nothing in
  local network hosts=
  sudo mkdir -p "$shared"; sudo chown "$(id -u)" "$shared"
  command -v exportfs > /dev/null || [ -x /usr/sbin/exportfs ] ||
    { quiet_apt update; quiet_apt install -y nfs-kernel-server; }
  for network in 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16; do
    hosts="$hosts $network(rw,no_subtree_check)"
  done
  sudo mkdir -p /etc/exports.d
  echo "$shared$hosts" | sudo tee /etc/exports.d/raystudy.exports > /dev/null
  sudo exportfs -ra
}

mount_shared() {
  if [ -z "$1" ] || mountpoint -q "$shared"; then return; fi
  command -v mount.nfs4 > /dev/null || [ -x /sbin/mount.nfs4 ] ||
    { quiet_apt update; quiet_apt install -y nfs-common; }
  sudo mkdir -p "$shared"
  # What the driver writes for a trial (a request to stop) is seen within a second.
  sudo mount -t nfs4 -o nfsvers=4.1,hard,noresvport,actimeo=1,lookupcache=positive "$1" "$shared"
  sudo chown "$(id -u)" "$shared" 2> /dev/null || true  # a file system of one's own, when new
}

unless_running() {
  [ -n "$(running_studies)" ] || "$@"
}

patiently() {
  # Ray waits 30 s for its helpers, without a setting, and its launcher starts no node twice. What
  # fails at once does not fail because the machine is busy.
  local failed_at_once=0 start
  while [ $failed_at_once -lt 5 ] && [ $SECONDS -lt 3600 ]; do
    start=$SECONDS
    if "$@"; then return; fi
    [ $((SECONDS - start)) -ge 20 ] || failed_at_once=$((failed_at_once + 1))
    echo "raystudy: ${*:1:2} failed on $(hostname) after $((SECONDS - start)) s" >&2
    $venv/bin/ray stop --force > /dev/null 2>&1 || true
    sleep 10
  done
  return 1
}

after_head() {
  local running; running=$(running_studies)
  if [ -n "$running" ]; then
    echo "raystudy: $(echo $running) runs here, so Ray was NOT restarted and the installed version" \
      "stays; all else in the cluster file holds from now. To restart, stop the study first" \
      "('raystudy --cluster FILE stop STUDY'), then type 'ray up' again; 'resume' continues it."
  fi
  setsid bash "$0" serve_mlflow > ~/raystudy-mlflow.log 2>&1 < /dev/null &
}

after_worker() { setsid bash "$0" clear_up > /dev/null 2>&1 < /dev/null & }

clear_up() {  # a raylet ends a minute after its head, its agents soon, its log monitor never
  local raylet others=
  raylet=$(pgrep --euid "$(id -u)" --exact --newest raylet)
  while kill -0 "$raylet"; do
    others=$(pgrep --euid "$(id -u)" --full 'ray::[A-Za-z]+Agent|ray/_private/log_monitor.py' || true)
    sleep 5
  done
  kill $others || true; sleep 10; kill -KILL $others || true
}

serve_mlflow() {
  exec 9> ~/.raystudy-mlflow.lock
  flock --wait 30 9  # the server of the Ray that was ended
  $venv/bin/raystudy ui --port 5000 9>&- &
  while pgrep --euid "$(id -u)" --exact gcs_server > /dev/null; do sleep 5; done
  trap '' TERM; kill 0
}

"$@"
