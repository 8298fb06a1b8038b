//! Doctor beside status, quickCheck and restore: one row for each fault that can be seen, and none in
//! which doctor is greener than status.

use serde_json::Value;

use crate::schema::document;

use crate::rows;
use crate::scene::{SURE, Scene};

rows!(under systemd: no_fault_is_greener_to_doctor_than_to_status);

/// A fault, and the shell script that makes it; `$pid` is the master of a Dovecot that was started.
const FAULTS: [(&str, &str); 6] = [
    ("none", "true"),
    ("F1 the master is frozen", "kill -STOP $pid"),
    ("F6 the master was killed", "kill -KILL $pid"),
    ("F12 a syntax error under a serving Dovecot", "echo 'x {{' >>/etc/dovecot/local.conf"),
    ("F14 its certificate has gone", "rm /etc/dovecot/private/dovecot.pem"),
    ("F70 a file of CAs is missing", "echo 'ssl_ca = </etc/none.pem' >>/etc/dovecot/local.conf"),
];

fn no_fault_is_greener_to_doctor_than_to_status(scene: &Scene) {
    if !scene.is_kit() {
        return;
    }
    // A frozen master takes each start command and each look its whole time.
    scene.set("APP_DOVECOT_RESTORE_CHECK_RETRY=1\nAPP_DOVECOT_RESTORE_WAIT=1\n");
    scene.sh("cp -a /etc/dovecot /root/dovecot.kept");
    for (fault, script) in FAULTS {
        let master = scene.start();
        scene.serves();
        scene.sh(&format!("pid={master}; {script}"));
        compare(scene, fault);
        scene.sh("rm -rf /etc/dovecot && cp -a /root/dovecot.kept /etc/dovecot");
        let ended = scene.begin("remove").wait(SURE).expect("the end of remove");
        assert!(ended.success(), "{fault}: {ended:?}");
    }
    compare(scene, "nothing was started");
}

/// Prints what each says, and holds doctor to status.
fn compare(scene: &Scene, fault: &str) {
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
        "{fault}: restore {restore:?}, quickCheck {check:?}, status {verdict}, doctor {levels:?}"
    );
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
