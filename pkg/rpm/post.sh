# shellcheck shell=sh
# After this version is installed: the directory that the next boot would make.
command -v systemd-tmpfiles >/dev/null && systemd-tmpfiles --create dovecot-ark.conf
exit 0
