#!/usr/bin/env bash
# A laptop and a few hosts with sshd, made of namespaces, on which `ray up` is tried.
#
#   bed.sh up [WORKERS]      laptop, head and so many workers (2)
#   bed.sh add HOST          one more host (w3, ...)
#   bed.sh in HOST CMD...    run as the user, in a login shell of a host (lap, head, w1, ...)
#   bed.sh off HOST          power cut: every process of the host is killed
#   bed.sh on HOST           power back, with the same home and /tmp
#   bed.sh cut HOST          pull the network cable; `plug HOST` puts it back
#   bed.sh down              end everything that `up` started
#
# Each host has namespaces of its own for network, processes, mounts, hostname and IPC: its own
# 10.77.0.x, port 22, /home, /tmp, /run, /dev/shm and, by an overlay over the machine's root, a
# disk. /shared is one folder of head and workers (an NFS server's part). The switch is a bridge in
# the laptop's network namespace: no packet enters the machine's own network. `ray stop`, which
# kills by name, reaches its own host only. The laptop's ~/checkout is a clone of the project with
# the changes that are not committed yet; stand-ins/ does what needs root or the internet.
#
# Needs root (CAP_SYS_ADMIN, CAP_NET_ADMIN), Debian's iproute2, openssh-server, openssh-client,
# rsync, tmux; no kernel modules beyond bridge, veth, tmpfs, overlay.
set -euo pipefail

BED=${BED:?set BED to a short folder of yours; sockets must stay below 108 characters}
HERE=$(cd "$(dirname "$0")" && pwd)
PROJECT=${PROJECT:-$(cd "$HERE/../.." && pwd)}   # with .venv; hosts see both at the same path
VENV=${VENV:-$PROJECT/.venv}
USERS="you ubuntu"                               # of a rack; of Ubuntu's images
NET=10.77.0
NETNS=$(basename "$BED")                          # several beds may be up at a time

address() { case $1 in lap) echo $NET.254;; head) echo $NET.1;; w*) echo $NET.$((1 + ${1#w}));; esac; }
init_pid() { cat "$BED/h/$1/pid"; }
sees() { echo "$PROJECT"; case $VENV/ in "$PROJECT"/*) ;; *) echo "$VENV";; esac; }

prepare() {  # what a host's disk holds
  local host=$1 dir=$BED/h/$1 user uid=1500
  mkdir -p "$dir"/{root,disk,home,tmp,etc}
  chmod 755 "$dir" "$dir/home"; chmod 1777 "$dir/tmp"
  cp /etc/passwd /etc/group "$dir/etc/"; install -m 640 /etc/shadow "$dir/etc/shadow"
  printf '127.0.0.1 localhost\n%s %s\n' "$(address "$host")" "$host" > "$dir/etc/hosts"
  echo "$host" > "$dir/etc/hostname"
  [ -f "$dir/etc/host_key" ] || ssh-keygen -q -t ed25519 -N '' -C "$host" -f "$dir/etc/host_key"
  cat > "$dir/etc/sshd_config" <<CONFIG
Port 22
ListenAddress $(address "$host")
HostKey /etc/ssh/bed_host_key
PidFile /run/sshd.pid
Subsystem sftp internal-sftp
UsePAM no
PasswordAuthentication no
PermitRootLogin no
MaxStartups 50
MaxSessions 50
CONFIG
  for user in $USERS; do
    echo "$user:x:$uid:$uid::/home/$user:/bin/bash" >> "$dir/etc/passwd"
    echo "$user:x:$uid:" >> "$dir/etc/group"
    echo "$user:*:19000:0:99999:7:::" >> "$dir/etc/shadow"
    [ -d "$dir/home/$user" ] || new_home "$host" "$dir/home/$user"
    chown -R $uid:$uid "$dir/home/$user"
    uid=$((uid + 1))
  done
}

new_home() {
  local host=$1 home=$2
  cp -rT /etc/skel "$home"
  mkdir -p "$home/.local/bin"; mkdir -p -m 700 "$home/.ssh"
  { echo '#!/usr/bin/env bash'; echo "BED_VENV=$VENV"; cat "$HERE/stand-ins/uv"; } > "$home/.local/bin/uv"
  chmod 755 "$home/.local/bin/uv"
  # Nodes have two cores between them, and a start may take long beside tests.
  printf 'export RAY_raylet_start_wait_time_s=60\n' > "$home/.bash_aliases"
  if [ "$host" != lap ]; then
    cp "$BED/h/lap/home/${home##*/}/.ssh/id_ed25519.pub" "$home/.ssh/authorized_keys"
    return
  fi
  ssh-keygen -q -t ed25519 -N '' -C "${home##*/}@lap" -f "$home/.ssh/id_ed25519"
  [ "${home##*/}" = you ] || return 0
  git clone -q --no-hardlinks "$PROJECT" "$home/checkout"
  git -C "$PROJECT" ls-files -z --cached --others --exclude-standard |
    rsync -a --from0 --files-from=- --ignore-missing-args "$PROJECT/" "$home/checkout/"
  HOME=$home "$home/.local/bin/uv" venv "$home/venv"
  HOME=$home "$home/.local/bin/uv" pip install --python "$home/venv/bin/python" --editable "$home/checkout"
  sed -i "s|$home|/home/${home##*/}|g" "$home"/venv/bin/{ray,raystudy} "$home"/venv/lib/*/site-packages/0.pth
  echo 'export PATH=$HOME/venv/bin:$PATH' >> "$home/.profile"
}

wire() {
  local host=$1 net=$NETNS-$1
  ip netns add "$net"
  ip -n "$net" link set lo up
  if [ "$host" = lap ]; then
    ip -n "$NETNS-lap" link add br0 type bridge
    ip -n "$NETNS-lap" addr add "$(address lap)/24" dev br0
    ip -n "$NETNS-lap" link set br0 up
  else
    ip -n "$net" link add eth0 type veth peer name "v-$host" netns "$NETNS-lap"
    ip -n "$NETNS-lap" link set "v-$host" master br0 up
    ip -n "$net" addr add "$(address "$host")/24" dev eth0
    ip -n "$net" link set eth0 up
    ip -n "$net" route add default via "$(address lap)"   # leads nowhere: lap forwards nothing
  fi
}

inside() {  # runs as process 1 of the host: builds its root, starts sshd, reaps
  local host=$1 dir=$BED/h/$1 root=$BED/h/$1/root path
  mount --make-rprivate /
  mount -t tmpfs -o mode=755 tmpfs "$dir/disk"    # what the host writes outside home and tmp
  mkdir -m 755 "$dir/disk/upper" "$dir/disk/work"
  mount -t overlay -o "lowerdir=/,upperdir=$dir/disk/upper,workdir=$dir/disk/work" overlay "$root"
  mount -t proc proc "$root/proc"
  mount -t sysfs -o ro sysfs "$root/sys"
  mount --bind /dev "$root/dev"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
  mount -t tmpfs -o "size=${SHM:-300m},mode=1777" tmpfs "$root/dev/shm"
  mount -t tmpfs -o mode=755 tmpfs "$root/run"
  mount --bind "$dir/home" "$root/home"
  mount --bind "$dir/tmp" "$root/tmp"
  chmod 711 "$root/root"
  for path in $(sees); do                        # /tmp has just been covered
    mkdir -p "$root$path"; mount --bind "$path" "$root$path"; mount -o remount,bind,ro "$root$path"
  done
  cp "$dir"/etc/{passwd,group,shadow,hosts,hostname} "$root/etc/"
  install -m 600 "$dir/etc/host_key" "$root/etc/ssh/bed_host_key"
  cp "$dir/etc/sshd_config" "$root/etc/ssh/sshd_config"
  mkdir -p "$root/run/sshd" "$root/run/lock"
  if [ "$host" != lap ]; then
    mkdir -p "$root/shared"; mount --bind "$BED/shared" "$root/shared"
  fi
  for path in sudo curl; do install -m 755 "$HERE/stand-ins/$path" "$root/usr/local/bin/$path"; done
  : > "$root/etc/resolv.conf"                      # names that nobody knows are refused at once
  hostname "$host"
  touch "$root/run/up"
  exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    chroot "$root" /bin/bash -c '
      cd /
      [ "$(hostname)" = lap ] || /usr/sbin/sshd -E /run/sshd.log
      while :; do sleep 3600 & wait $!; done'
}

on() {
  local host=$1 dir=$BED/h/$1
  setsid ip netns exec "$NETNS-$host" unshare --mount --pid --fork --uts --ipc \
    "$0" inside "$host" > "$dir/init.log" 2>&1 < /dev/null &
  local parent=$! child=
  for _ in $(seq 100); do
    # ip netns exec becomes unshare, whose only child is the host's process 1
    child=$(cat /proc/$parent/task/$parent/children 2>/dev/null || true); child=${child%% *}
    [ -n "$child" ] && [ -e "/proc/$child/root/run/up" ] && break
    sleep 0.1
  done
  [ -n "$child" ] || { cat "$dir/init.log" >&2; exit 1; }
  echo "$child" > "$dir/pid"
}

off() {
  local pid; pid=$(init_pid "$1")
  kill -9 "$pid"
  while [ -d "/proc/$pid" ]; do sleep 0.1; done
  rm "$BED/h/$1/pid"
}

enter() {
  local host=$1 user=${BED_USER:-you}; shift
  exec nsenter -t "$(init_pid "$host")" -m -p -n -u -i -r -w \
    env -i TERM="${TERM:-xterm}" LANG=C.UTF-8 PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin \
    runuser -u "$user" -- bash -c 'export HOME=/home/$USER; cd; exec bash --login -c "$0"' "$*"
}

case ${1:-} in
  up)
    mkdir -p "$BED/h" "$BED/shared"; chmod 1777 "$BED/shared"
    for host in lap head $(seq -f 'w%g' "${2:-2}"); do prepare "$host"; wire "$host"; on "$host"; done;;
  add) prepare "$2"; wire "$2"; on "$2";;
  in) shift; enter "$@";;
  on) on "$2";;
  off) off "$2";;
  cut) ip -n "$NETNS-lap" link set "v-$2" down;;
  plug) ip -n "$NETNS-lap" link set "v-$2" up;;
  inside) inside "$2";;
  down)
    for pid in "$BED"/h/*/pid; do [ -e "$pid" ] && off "$(basename "$(dirname "$pid")")"; done
    for host in $(ls "$BED/h"); do ip netns del "$NETNS-$host" 2>/dev/null || true; done;;
  *) sed -n '2,22p' "$0"; exit 2;;
esac
