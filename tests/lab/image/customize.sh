# shellcheck shell=sh
# Turns a freshly unpacked Debian into the lab's node; run once inside the image, as root.
set -eu
groupadd --gid 5000 vmail
useradd --uid 5000 --gid 5000 --home-dir /srv/vmail --no-create-home --shell /usr/sbin/nologin vmail
install -d -o vmail -g vmail -m 0750 /srv/vmail
chown root:dovecot /etc/dovecot/users
chmod 0640 /etc/dovecot/users

# Only the lab's own accounts: PAM would slow each refused login down.
sed -i 's/^!include auth-system.conf.ext/#&/' /etc/dovecot/conf.d/10-auth.conf

# Dovecot starts when the cluster says so. In a directory that is not booted, systemctl only edits links.
systemctl disable dovecot.service dovecot.socket 2>/dev/null
update-rc.d dovecot disable
[ ! -e /etc/systemd/system/multi-user.target.wants/dovecot.service ]

# Before each start and stop Debian's `service` lets systemd read all unit files, each in all directories:
# 0.27 s of a processor with the 220 of this image. RHEL's and SUSE's do not. What serves hardware, a
# console or the first stage of a boot is of no use to a node, and goes: a fifth of that time is left.
(
	cd /lib/systemd/system
	rm -rf -- *cryptsetup* cryptdisks* *veritysetup* *integritysetup* initrd* *-initrd* *pcr* *tpm2* \
		*hibernat* *suspend* *hybrid-sleep* sleep.target *getty* autovt@* rescue* debug-shell* \
		runlevel*.wants graphical.target.wants *kexec* *quota* *pstore* *repart* *rfkill* *backlight* \
		*fsck* *networkd* *network-generator* *sysext* *confext* *hostname* *locale* *timedate* \
		*time-wait-sync* bluetooth* printer* smartcard* sound* usb-gadget* x11-common* e2scrub* fstrim* \
		hwclock* kmod* system-update* *firstboot* first-boot* factory-reset* *boot-complete* *bless* \
		*boot-check* *volatile-root* *machine-id-commit* blockdev@* *binfmt* sys-kernel-* sys-fs-fuse* \
		*ask-password* apt-daily* dpkg-db-backup* rpcbind* rc.service rcS.service rc-local* \
		*journald@* *journald-varlink* *journald-audit* *exit.* *modules-load* *random-seed* *initctl*
	rm -rf /etc/systemd/system/getty.target.wants /etc/systemd/system/sysinit.target.wants
	find /etc/systemd/system -xtype l -delete
)

# Debian's packages make a self-signed key pair; where they did not, make one.
for file in dovecot.pem dovecot.key; do
	[ -s "/etc/dovecot/private/$file" ] && continue
	rm -f /etc/dovecot/private/dovecot.pem /etc/dovecot/private/dovecot.key
	openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=node.example.com \
		-out /etc/dovecot/private/dovecot.pem -keyout /etc/dovecot/private/dovecot.key
	break
done
doveconf -n >/dev/null

# LifeKeeper's version is what rpm knows of this package: an empty one for each version that is played.
# Debian's rpm keeps its database in the home of root; elsewhere it is here.
install -d /etc/rpm
echo '%_dbpath /var/lib/rpm' >/etc/rpm/macros.dbpath
rpm --initdb
printf '%s\n' 'Name: steeleye-lk' 'Version: %{played}' 'Release: 1' 'Summary: LifeKeeper, played' \
	'License: MIT' 'BuildArch: noarch' '%description' 'Tells a version.' '%files' >/root/lk.spec
for version in 9.0.2 9.1.0 9.3.2 9.9.0; do
	rpmbuild --quiet -bb --define "played $version" --define '_buildhost node' \
		--define '_rpmdir /usr/share' --define '_rpmfilename lab/steeleye-lk-%{VERSION}.rpm' /root/lk.spec
done
# What a package may ask of any distribution, and Debian has outside of rpm.
printf '%s\n' 'Name: glibc' 'Version: 2.17' 'Release: 1' 'Summary: Debian, in the words of rpm' \
	'License: MIT' 'BuildArch: noarch' 'Provides: /bin/sh' '%description' 'Tells a version.' '%files' >/root/base.spec
rpmbuild --quiet -bb --define '_buildhost node' --define '_rpmdir /root' \
	--define '_rpmfilename base.rpm' /root/base.spec
rpm -i /root/base.rpm
rm -rf /root/lk.spec /root/base.spec /root/base.rpm /root/rpmbuild

# What was copied from the machine that built the image has no place on a node.
rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /etc/resolv.conf /var/log/dovecot.log
echo node >/etc/hostname
: >/etc/machine-id
printf '127.0.0.1 localhost node\n::1 localhost\n' >/etc/hosts
