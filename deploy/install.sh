#!/bin/sh
# Puts the driver into place by rename, so that kubelet and kube-controller-manager find either the
# old one or the new one, whole. May be repeated, also while the driver or another installer runs.
set -eu
export LC_ALL=C # what tools say is read here

default_plugin_dir=/usr/libexec/kubernetes/kubelet-plugins/volume/exec
default_log_dir=/var/log/oci-flexvolume-driver
plugin_dir=$default_plugin_dir
log_dir=$default_log_dir
binary=$(dirname "$0")/oci

usage() {
    cat <<TXT
Usage: install.sh [--plugin-dir DIR] [--log-dir DIR] [BINARY]

Installs the OCI flexvolume driver on this node, or updates it.

  --plugin-dir DIR  the folder that kubelet and kube-controller-manager search
                    ($plugin_dir)
  --log-dir DIR     the folder that the link to the driver's log leads to; made with mode 0750,
                    and left as it is where there is one
                    ($log_dir)
  BINARY            the driver ($binary)

The driver itself takes its folders from the environment of its callers; with
other folders than these the installer shows the variables that they need.
TXT
}

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    case $1 in
        --help | -h) usage; exit 0 ;;
        --plugin-dir | --log-dir)
            [ $# -gt 1 ] || fail "$1 needs a folder"
            case $2 in /*) ;; *) fail "$1 needs an absolute path, not '$2'" ;; esac
            if [ "$1" = --log-dir ]; then log_dir=${2%/}; else plugin_dir=${2%/}; fi
            shift 2 ;;
        -*) fail "unknown option $1; see --help" ;;
        *) binary=$1; shift ;;
    esac
done

dir=$plugin_dir/oracle~oci
log=$dir/oci_flexvolume_driver.log
kept=$log_dir/oci_flexvolume_driver.log

elsewhere="--plugin-dir, and name it to kubelet (--volume-plugin-dir) and kube-controller-manager (--flex-volume-plugin-dir)"

# Runs a command, or says what it was to do, why it failed and what to do: try WHAT COMMAND...
try() {
    what=$1
    shift
    said=$("$@" 2>&1) && return
    case $said in
        *"Read-only file system"*) cure="the file system is read-only; if that is to stay so, give another folder with $elsewhere" ;;
        *"No space left"* | *"Disk quota exceeded"*) cure="there is no room left; see df -h and df -i" ;;
        *"ermission denied"* | *"not permitted"*)
            if [ "$(id -u)" = 0 ]; then cure="root may not: see lsattr -d, and the log of SELinux or AppArmor"
            else cure="run it as root: sudo install.sh"; fi ;;
        *) cure=$said ;;
    esac
    fail "cannot $what: $cure"
}

# Fails where a folder is to be and cannot be: must_be_folder OPTION PATH
must_be_folder() {
    [ ! -L "$2" ] || [ -e "$2" ] || fail "$1 $2 is a link that leads nowhere; make $(readlink "$2"), or remove the link"
    [ ! -e "$2" ] || [ -d "$2" ] || fail "$1 $2 is not a folder"
}

# The kernel refuses a program for another processor, and the shell would run it as a script then.
must_be_program() {
    case $(head -c 4 "$binary" | od -An -tx1 | tr -d " ") in
        7f454c46) ;;
        2321*) return ;; # a script
        *) fail "$binary is no program; copy the package again" ;;
    esac
    case $(od -An -tx1 -j18 -N2 "$binary" | tr -d " ") in
        3e00) for=x86_64 ;;
        b700) for=aarch64 ;;
        *) for="another processor" ;;
    esac
    [ "$for" = "$(uname -m)" ] || fail "$binary is for $for, and this machine is $(uname -m); take the package for that"
}

[ -f "$binary" ] || fail "there is no driver at $binary; cargo xtask dist makes a package with one, or name it as the last argument"
[ -r "$binary" ] || fail "$binary cannot be read; run it as root: sudo install.sh"
must_be_program
must_be_folder --plugin-dir "$plugin_dir"
must_be_folder --plugin-dir "$dir"
must_be_folder --log-dir "$log_dir"
for it in oci oci_flexvolume_driver.log; do
    [ -L "$dir/$it" ] || [ ! -d "$dir/$it" ] || fail "$dir/$it is a folder; move it away first"
done
case $log_dir/ in
    "$plugin_dir"/*) fail "--log-dir must not be in $plugin_dir: kubelet watches that, and each line of the log would have it run init" ;;
esac

umask 022
try "make $dir" mkdir -p "$dir"
# One at a time. The lock goes with the process, however that ends.
command -v flock >/dev/null || fail "there is no flock; install util-linux"
exec 9<"$dir"
flock -w 120 9 || fail "another installer has been at work on $dir for two minutes"

# The callers ignore names that begin with a dot, and run init again after any other change here.
new=$dir/.oci.new
link=$dir/.oci_flexvolume_driver.log.new
trap 'rm -f "$new" "$link"' EXIT
trap 'exit 1' HUP INT TERM
try "remove what an installer has left in $dir" rm -f "$new" "$link"
try "copy $binary to $dir" cp "$binary" "$new"
try "make $new executable" chmod 755 "$new"
sync "$new" 2>/dev/null || sync # a small sync takes no file
if [ ! -x "$new" ]; then
    fail "nothing can be run in $dir, because its file system is mounted noexec: mount -o remount,exec $(df -P "$dir" | sed -n '2s/.*% //p'), or give another folder with $elsewhere"
fi
said=$("$new" --version 2>&1 9<&-) || fail "$binary does not run on this machine: ${said:-it ended without a word}"

make_log_dir() { # another installer may be faster
    mkdir -m 750 "$log_dir" || [ -d "$log_dir" ]
}

elsewhere=--log-dir
# The log is kept elsewhere: written here, it would make the callers run init again and again.
if [ ! -d "$log_dir" ]; then
    try "make $log_dir" mkdir -p "$(dirname "$log_dir")"
    try "make $log_dir" make_log_dir
fi
if [ ! -L "$log" ] || [ "$(readlink "$log")" != "$kept" ]; then
    if [ -f "$log" ] && [ ! -L "$log" ]; then
        # shellcheck disable=SC2016 # the inner shell expands them
        try "keep the old log in $log_dir" sh -c 'umask 027; cat "$1" >>"$2"' - "$log" "$kept.old"
    fi
    try "link to the log in $log_dir" ln -s "$kept" "$link"
    try "link to the log in $log_dir" mv -fT "$link" "$log"
fi

# The driver refuses a configuration with a key in it that everybody may read.
config=$dir/config.yaml
if [ -f "$config" ] && [ -n "$(find -L "$config" -perm /007)" ]; then
    try "close $config to others" chmod 600 "$config"
    echo "install.sh: $config was readable by everybody, now by its owner only"
fi

try "put $dir/oci into place" mv -fT "$new" "$dir/oci"
sync "$dir" 2>/dev/null || sync
echo "install.sh: installed $dir/oci, and a link to its log, $kept"

needs() { # what the driver would not find by itself: VARIABLE DIR DEFAULT
    [ "$2" = "$3" ] || echo "install.sh: kubelet and kube-controller-manager need $1=$2 in their environment"
}
[ "$plugin_dir" = "$default_plugin_dir" ] ||
    echo "install.sh: kubelet needs --volume-plugin-dir=$plugin_dir, and kube-controller-manager --flex-volume-plugin-dir=$plugin_dir"
needs OCI_FLEXD_DRIVER_DIRECTORY "$dir" "$default_plugin_dir/oracle~oci"
needs OCI_FLEXD_DRIVER_LOG_DIR "$log_dir" "$default_log_dir"
