#!/bin/sh
# Puts the driver into place by rename, so that kubelet and kube-controller-manager find either the
# old one or the new one, whole. May be repeated, also while the driver runs.
set -eu

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
  --log-dir DIR     the folder that the link to the driver's log leads to
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
            if [ "$1" = --log-dir ]; then log_dir=$2; else plugin_dir=$2; fi
            shift 2 ;;
        -*) fail "unknown option $1; see --help" ;;
        *) binary=$1; shift ;;
    esac
done

dir=$plugin_dir/oracle~oci
[ -f "$binary" ] || fail "there is no driver at $binary; name it as the last argument"
[ ! -d "$dir/oci" ] || fail "$dir/oci is a folder; move it away first"
umask 022
mkdir -p "$dir"

# The callers ignore names that begin with a dot, and run init again after any other change here.
new=$dir/.oci.new
link=$dir/.oci_flexvolume_driver.log.new
trap 'rm -f "$new" "$link"' EXIT
cp "$binary" "$new"
chmod 755 "$new"
sync "$new" 2>/dev/null || sync # a small sync takes no file
"$new" --version >/dev/null 2>&1 || fail "$binary does not run on this machine"

# The log is kept elsewhere: written here, it would make the callers run init again and again.
log=$dir/oci_flexvolume_driver.log
kept=$log_dir/oci_flexvolume_driver.log
[ -d "$log_dir" ] || mkdir -p "$log_dir"
chmod 750 "$log_dir"
if [ ! -L "$log" ] || [ "$(readlink "$log")" != "$kept" ]; then
    if [ -f "$log" ] && [ ! -L "$log" ]; then
        cat "$log" >>"$kept.old"
        chmod 640 "$kept.old"
    fi
    ln -sf "$kept" "$link"
    mv -f "$link" "$log"
fi

# The driver refuses a configuration with a key in it that everybody may read.
config=$dir/config.yaml
if [ -f "$config" ] && [ -n "$(find -L "$config" -perm /007)" ]; then
    chmod 600 "$config"
    echo "install.sh: $config was readable by everybody, now by its owner only"
fi

mv -f "$new" "$dir/oci"
sync "$dir" 2>/dev/null || sync
echo "install.sh: installed $dir/oci, and a link to its log, $kept"

needs() { # what the driver would not find by itself: VARIABLE DIR DEFAULT
    [ "$2" = "$3" ] || echo "install.sh: kubelet and kube-controller-manager need $1=$2 in their environment"
}
needs OCI_FLEXD_DRIVER_DIRECTORY "$dir" "$default_plugin_dir/oracle~oci"
needs OCI_FLEXD_DRIVER_LOG_DIR "$log_dir" "$default_log_dir"
