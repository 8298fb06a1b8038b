//! What can be wrong with a node, how the doctor must call it, and what cures it.

use super::DEFAULTS;

/// What a cure is done with.
#[derive(Clone, Copy)]
pub(super) enum Cure {
    /// It is a command, and is run on the node.
    AsTold,
    /// It is for a person; this does it.
    By(&'static str),
}

/// Something that can be wrong with node 2.
pub(super) struct Fault {
    /// The commands that break it.
    pub(super) make: &'static str,
    /// The check that finds it, and how bad it is.
    pub(super) check: &'static str,
    pub(super) level: &'static str,
    /// The node it is found on; none when it is found by comparison.
    pub(super) node: Option<&'static str>,
    /// What must be in the words, and in the cure.
    pub(super) what: &'static str,
    pub(super) cure: &'static str,
    pub(super) by: Cure,
}

/// All that is tried.
pub(super) const FAULTS: &[Fault] = &[
    Fault {
        make: "systemctl enable --quiet dovecot.service",
        check: "boot",
        level: "error",
        node: Some("node2"),
        what: "enabled: dovecot.service",
        cure: "systemctl disable dovecot.service dovecot.socket",
        by: Cure::AsTold,
    },
    Fault {
        make: "systemctl start dovecot.socket",
        check: "socket",
        level: "error",
        node: Some("node2"),
        what: "dovecot.socket is active",
        cure: "systemctl disable dovecot.socket; systemctl stop dovecot.socket",
        by: Cure::AsTold,
    },
    Fault {
        make: "mkdir -p /var/lib/pacemaker/cib && echo '<cib><primitive id=\"mail\" class=\"ocf\" \
               provider=\"dovecot-ark\" type=\"dovecot\"/></cib>' >/var/lib/pacemaker/cib/cib.xml",
        check: "supervisor",
        level: "error",
        node: Some("node2"),
        what: "a resource of Pacemaker too, mail (ocf:dovecot-ark:dovecot)",
        cure: "leave it to one engine",
        by: Cure::By("rm -r /var/lib/pacemaker"),
    },
    Fault {
        make: "systemctl mask --quiet dovecot.service",
        check: "service",
        level: "error",
        node: Some("node2"),
        what: "dovecot.service is masked",
        cure: "systemctl unmask dovecot.service",
        by: Cure::AsTold,
    },
    Fault {
        make: "printf 'protocol imap {\\n mail_max_userip_connections = 7\\n}\\n' \
               >>/etc/dovecot/local.conf",
        check: "configuration",
        level: "error",
        node: None,
        what: "protocol imap/mail_max_userip_connections is 7 on node2, not set on node1",
        cure: "rsync",
        by: Cure::By("sed -i '/^protocol imap/,$d' /etc/dovecot/local.conf"),
    },
    Fault {
        make: "echo 'x {{' >>/etc/dovecot/local.conf",
        check: "configuration",
        level: "error",
        node: Some("node2"),
        what: "/etc/dovecot/local.conf line",
        cure: "doveconf -n",
        by: Cure::By("sed -i '/x {{/d' /etc/dovecot/local.conf"),
    },
    Fault {
        make: "cp -p /etc/dovecot/private/dovecot.pem /root/ && \
               echo garbage >/etc/dovecot/private/dovecot.pem",
        check: "certificate",
        level: "error",
        node: Some("node2"),
        what: "/etc/dovecot/private/dovecot.pem is no certificate",
        cure: "openssl x509",
        by: Cure::By("mv /root/dovecot.pem /etc/dovecot/private/dovecot.pem"),
    },
    Fault {
        make: "echo '# mine' >>'/opt/LifeKeeper/subsys/gen/resources/app/actions/!remove/dovecot'",
        check: "copies",
        level: "error",
        node: Some("node2"),
        what: "!remove/dovecot is not the kit's remove",
        cure: "install -m 755 /usr/lib/dovecot-ark/remove '/opt/LifeKeeper/",
        by: Cure::AsTold,
    },
    Fault {
        make: "chmod -x /usr/lib/dovecot-ark/restore",
        check: "stubs",
        level: "error",
        node: Some("node2"),
        what: "not executable: /usr/lib/dovecot-ark/restore",
        cure: "install the package",
        by: Cure::By("chmod 755 /usr/lib/dovecot-ark/restore"),
    },
    Fault {
        make: "dovecot-ark install --standby --restart",
        check: "supervisor",
        level: "warning",
        node: None,
        what: "not set on node1, set on node2",
        cure: "rm /etc/systemd/system/dovecot.service.d/dovecot-ark.conf",
        by: Cure::By("rm -r /etc/systemd/system/dovecot.service.d && systemctl daemon-reload"),
    },
    Fault {
        make: "mkdir /etc/systemd/system/dovecot.service.d && \
               printf '[Service]\\nRestart=on-failure\\n' \
               >/etc/systemd/system/dovecot.service.d/local.conf && systemctl daemon-reload",
        check: "supervisor",
        level: "warning",
        node: Some("node2"),
        what: "dovecot.service has Restart=on-failure",
        cure: "Restart=no",
        by: Cure::AsTold,
    },
    Fault {
        make: "printf '[Service]\\nKillMode=none\\n' \
               >/etc/systemd/system/dovecot.service.d/local.conf && systemctl daemon-reload",
        check: "supervisor",
        level: "warning",
        node: Some("node2"),
        what: "dovecot.service has KillMode=none",
        cure: "KillMode=control-group",
        by: Cure::AsTold,
    },
    Fault {
        make: "mkdir /etc/monit.d && printf 'check process dovecot with pidfile \
               /run/dovecot/master.pid\\n  start program = \"/usr/sbin/service dovecot start\"\\n' \
               >/etc/monit.d/mail",
        check: "supervisor",
        level: "error",
        node: Some("node2"),
        what: "monit knows of Dovecot: /etc/monit.d/mail",
        cure: "take Dovecot out of /etc/monit.d/mail",
        by: Cure::By("rm /etc/monit.d/mail"),
    },
    Fault {
        make: "mkdir -p /var/lib/pacemaker/cib && echo '<primitive type=\"dovecot\"/>' \
               >/var/lib/pacemaker/cib/cib.xml",
        check: "supervisor",
        level: "error",
        node: Some("node2"),
        what: "Pacemaker knows of Dovecot",
        cure: "crm_resource",
        by: Cure::By("rm /var/lib/pacemaker/cib/cib.xml"),
    },
    Fault {
        make: "echo APP_DOVECOT_WAIT=fixed >>/etc/default/LifeKeeper",
        check: "settings",
        level: "warning",
        node: None,
        what: "APP_DOVECOT_WAIT is ready on node1, fixed on node2",
        cure: DEFAULTS,
        by: Cure::By("sed -i /APP_DOVECOT_WAIT/d /etc/default/LifeKeeper"),
    },
    Fault {
        make: "echo APP_DOVECOT_DEBUG=maybe >>/etc/default/LifeKeeper",
        check: "settings",
        level: "warning",
        node: Some("node2"),
        what: "APP_DOVECOT_DEBUG=maybe: 0 or 1 is expected",
        cure: DEFAULTS,
        by: Cure::By("sed -i /APP_DOVECOT_DEBUG/d /etc/default/LifeKeeper"),
    },
    Fault {
        make: "echo dovecot_QUICKCHECK_TIMEOUT=5 >>/etc/default/LifeKeeper",
        check: "time-limit",
        level: "error",
        node: Some("node2"),
        what: "dovecot_QUICKCHECK_TIMEOUT=5, and the checks may take 14 s",
        cure: "dovecot_QUICKCHECK_TIMEOUT=22 in /etc/default/LifeKeeper",
        by: Cure::By("sed -i /^dovecot_/d /etc/default/LifeKeeper"),
    },
    Fault {
        make: "sed -i 's/:143:2/:2525:2/' /etc/default/LifeKeeper",
        check: "listener",
        level: "error",
        node: Some("node2"),
        what: "no listener on port 2525, only on 110, 143, 993, 995",
        cure: "APP_DOVECOT_IP_LIST",
        by: Cure::By("sed -i 's/:2525:2/:143:2/' /etc/default/LifeKeeper"),
    },
    Fault {
        make: "sed -i 's/^APP_DOVECOT_IP_LIST=.*/&,192.0.2.77:143/' /etc/default/LifeKeeper",
        check: "dependency",
        level: "warning",
        node: Some("node2"),
        what: "no IP resource of this node has 192.0.2.77",
        cure: "dep_create -p dovecot -c",
        by: Cure::By("sed -i 's/,192.0.2.77:143//' /etc/default/LifeKeeper"),
    },
    Fault {
        make: "/opt/LifeKeeper/bin/dep_remove -p dovecot -c ip-mail",
        check: "dependency",
        level: "error",
        node: Some("node2"),
        what: "dovecot does not depend on ip-mail, which has 192.0.2.10",
        cure: "/opt/LifeKeeper/bin/dep_create -p dovecot -c ip-mail",
        by: Cure::AsTold,
    },
    Fault {
        make: "ip address add 192.0.2.10/32 dev lo",
        check: "address",
        level: "error",
        node: None,
        what: "192.0.2.10 is on more than one node: node1, node2",
        cure: "ip address del 192.0.2.10/",
        by: Cure::By("ip address del 192.0.2.10/32 dev lo"),
    },
    Fault {
        make: "service dovecot start",
        check: "state",
        level: "error",
        node: Some("node2"),
        what: "Dovecot runs, and LifeKeeper has dovecot out of service here (OSU)",
        cure: "dovecot-ark remove -t dovecot",
        by: Cure::AsTold,
    },
    Fault {
        make: "service dovecot start",
        check: "state",
        level: "error",
        node: None,
        what: "Dovecot runs on more than one node: node1, node2",
        cure: "dovecot-ark remove -t",
        by: Cure::By("dovecot-ark remove -t dovecot"),
    },
    Fault {
        make: "service dovecot start && printf 'base_dir = /run/other\\nlog_path = /run/other.log\\n\
               ssl = no\\nprotocols =\\n' >/root/other.conf && dovecot -c /root/other.conf && sleep 1",
        check: "master",
        level: "error",
        node: Some("node2"),
        what: "two masters of Dovecot run: pid ",
        cure: "dovecot-ark remove -t dovecot, which ends them all; or stop the one too many: ps -fp",
        by: Cure::By("dovecot-ark remove -t dovecot"),
    },
    Fault {
        make: "mkdir -p /var/lib/dovecot-ark && printf 'format = 1\\n[resources.dovecot]\\n\
               role = \"standby\"\\n[resources.mail2]\\nrole = \"standby\"\\n' \
               >/var/lib/dovecot-ark/install.toml",
        check: "tag",
        level: "error",
        node: Some("node2"),
        what: "this node is prepared for two tags: dovecot, mail2",
        cure: "dovecot-ark uninstall --tag mail2",
        by: Cure::By("dovecot-ark uninstall --tag mail2 --yes"),
    },
    Fault {
        make: "mv /usr/sbin/dovecot-ark /root/dovecot-ark",
        check: "peer",
        level: "error",
        node: Some("node2"),
        what: "node2 gave no answer: exit status 127",
        cure: "install the package dovecot-ark",
        by: Cure::By("mv /root/dovecot-ark /usr/sbin/dovecot-ark"),
    },
    Fault {
        make: "mv /usr/sbin/dovecot-ark /root/dovecot-ark && \
               printf '#!/bin/sh\\necho \\047{\"format\": 2, \"kit\": \"99.0\"}\\047\\n' \
               >/usr/sbin/dovecot-ark && chmod 755 /usr/sbin/dovecot-ark",
        check: "peer",
        level: "error",
        node: Some("node2"),
        what: "node2 has another version of the kit, 99.0",
        cure: "install the package dovecot-ark",
        by: Cure::By("mv /root/dovecot-ark /usr/sbin/dovecot-ark"),
    },
];
