//! Doctor beside status, quickCheck and restore: one row for each fault that can be seen, and none in
//! which doctor is greener than status.

use serde_json::Value;

use crate::schema::document;

use crate::rows;
use crate::scene::{SURE, Scene};

rows!(under systemd: no_fault_is_greener_to_doctor_than_to_status);

/// A fault, the shell script that makes it, where `$pid` is the master of a Dovecot that was started,
/// and what doctor must find of it beside the verdict: a check and a level.
type Fault = (&'static str, &'static str, Option<(&'static str, &'static str)>);

/// A key that belongs to no certificate of the node.
const OTHER_KEY: &str = "rm /etc/dovecot/private/dovecot.key; \
    openssl ecparam -genkey -name prime256v1 -noout -out /etc/dovecot/private/dovecot.key";

/// A port where Dovecot waits for TLS, in the list as one that greets.
const TLS_PORT: &str = "printf 'service imap-login {\\n inet_listener x {\\n port = 1993\\n ssl = yes\\n }\\n}\\n' \
    >>/etc/dovecot/local.conf; doveadm reload; sleep 1; \
    echo 'APP_DOVECOT_IP_LIST=\"127.0.0.1:143 127.0.0.1:1993:1\"' >>/etc/default/LifeKeeper";

const FAULTS: [Fault; 10] = [
    ("none", "true", None),
    ("F1 the master is frozen", "kill -STOP $pid", None),
    ("F6 the master was killed", "kill -KILL $pid", None),
    ("F12 a syntax error under a serving Dovecot", "echo 'x {{' >>/etc/dovecot/local.conf", None),
    ("F14 its certificate has gone", "rm /etc/dovecot/private/dovecot.pem", None),
    (
        "F70 a file of CAs is missing",
        "echo 'ssl_ca = </etc/none.pem' >>/etc/dovecot/local.conf",
        None,
    ),
    ("its key is another's", OTHER_KEY, Some(("certificate", "error"))),
    (
        "its directory is read-only",
        "mount --bind /run/dovecot /run/dovecot && mount -o remount,ro,bind /run/dovecot",
        Some(("dovecot", "error")),
    ),
    (
        "an address that the node lacks",
        "echo 'listen = 127.0.0.1, 192.0.2.99' >>/etc/dovecot/local.conf",
        Some(("listener", "warning")),
    ),
    ("a greeting is asked of a port of TLS", TLS_PORT, Some(("listener", "error"))),
];

fn no_fault_is_greener_to_doctor_than_to_status(scene: &Scene) {
    if !scene.is_kit() {
        return;
    }
    // A frozen master takes each start command and each look its whole time.
    scene.set("APP_DOVECOT_RESTORE_CHECK_RETRY=1\nAPP_DOVECOT_RESTORE_WAIT=1\n");
    scene.sh("cp -a /etc/dovecot /root/dovecot.kept");
    scene.sh("cp -a /etc/default/LifeKeeper /root/settings.kept");
    for (fault, script, found) in FAULTS {
        let master = scene.start();
        scene.serves();
        scene.sh(&format!("pid={master}; {script}"));
        compare(scene, fault, found);
        // Lazily: a process that is just ending may have its working directory there.
        scene.sh(
            "umount -l /run/dovecot 2>/dev/null; cp -a /root/settings.kept /etc/default/LifeKeeper",
        );
        scene.sh("rm -rf /etc/dovecot && cp -a /root/dovecot.kept /etc/dovecot");
        let ended = scene.begin("remove").wait(SURE).expect("the end of remove");
        assert!(ended.success(), "{fault}: {ended:?}");
    }
    compare(scene, "nothing was started", None);
}

/// Prints what each says, and holds doctor to status.
fn compare(scene: &Scene, fault: &str, found: Option<(&str, &str)>) {
    let check = scene.begin("quickCheck").wait(SURE).expect("the end of quickCheck").status;
    let told = |command: &str, shape: &str| {
        document(shape, &scene.sh(&format!("dovecot-ark {command} --json || true")))
    };
    let (status, doctor) = (told("status", "status"), told("doctor --local", "doctor-local"));
    let restore = scene.begin("restore").wait(SURE).expect("the end of restore").status;
    let verdict = status.get("verdict").and_then(Value::as_str).unwrap_or_default();
    let findings = doctor.get("findings").and_then(Value::as_array).cloned().unwrap_or_default();
    let of_check = |name: &str| -> Vec<String> {
        let ours =
            findings.iter().filter(|one| one.get("check").is_some_and(|check| check == name));
        ours.filter_map(|one| one.get("level")?.as_str().map(str::to_owned)).collect()
    };
    let levels = of_check("verdict");
    println!(
        "{fault}: restore {restore:?}, quickCheck {check:?}, status {verdict}, doctor {levels:?} \
         {found:?}"
    );
    if let Some((check, level)) = found {
        assert!(of_check(check).iter().any(|one| one == level), "{fault}: {doctor:#}");
    }
    let rank = |level: &String| ["ok", "warning", "error"].iter().position(|one| one == level);
    let worst = levels.iter().filter_map(rank).max().unwrap_or_default();
    // Nobody has said that Dovecot is to serve from here, so a stopped one is a warning.
    let least = match verdict {
        "up" => 0,
        "degraded" | "stopped" => 1,
        _ => 2,
    };
    assert!(worst >= least, "{fault}: status {verdict}, doctor {levels:?}");
    if check == Some(1) {
        assert_ne!(of_check("action"), ["ok"], "{fault}: the failed check is not told");
    }
}
